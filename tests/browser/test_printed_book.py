"""The book as one PDF: every page is in it, in order, and the table of contents tells where."""

import re

import pytest

from tests.browser.pages import CHAPTERS
from tools.print_book import names, print_book

pytestmark = pytest.mark.browser
SOME = ["book/index", "book/entropy", "book/errata"]


def test_the_names_are_those_of_the_table_of_contents():
    assert list(names())[1:] == CHAPTERS


def test_contents_and_bookmarks_lead_to_every_page(browser, site):
    book = print_book(browser, site, SOME)
    marks = [(mark.title, book.get_destination_page_number(mark)) for mark in book.outline]
    assert marks[0] == ("Contents", 0)
    assert len(marks) == 1 + len(SOME)
    contents = book.pages[0].extract_text()
    for title, sheet in marks[1:]:
        assert re.search(rf"{re.escape(title)}\s*{sheet + 1}\b", contents), (title, contents)
        words = title.split()[-1]
        assert words in book.pages[sheet].extract_text()
