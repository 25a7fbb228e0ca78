"""What the build adds to Sphinx: formulas, styles, citations, downloads, the pages of the library."""

import json

import pytest

from tools import (
    api_pages,
    build_book,
    citations,
    docstrings,
    downloads,
    equations,
    formulas,
    setup_cell,
    slim,
    touch_up,
)
from tools.check_site import Site
from tools.lean_pages import description

PAGE = '<html><head></head><body><article class="bd-article">{}</article></body></html>'
INLINE = r'<span class="math notranslate nohighlight">\({}\)</span>'
NUMBERED = (
    '<div class="math notranslate nohighlight" id="equation-a">\n'
    '<span class="eqno">(1.1)<a href="#a">#</a></span>'
    r"\[\begin{{split}} {} \end{{split}}\]</div>"
)


def write(folder, body: str, name: str = "page.html"):
    (folder / "_static").mkdir(exist_ok=True)
    (folder / "_static" / "all.css").touch()
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(PAGE.format(body), encoding="utf-8")
    return path


def test_formulas_become_markup_with_mathml_and_their_fonts_come_along(tmp_path):
    path = write(tmp_path, INLINE.format(r"a &lt; \R") + NUMBERED.format(r"y &amp;= \frac12 x"))
    assert formulas.typeset(tmp_path, {"R": r"\mathbb{R}"}) == 2
    page = path.read_text()
    assert page.count("<mjx-container") == page.count("<math ") == 2
    assert "<mfrac>" in page
    assert "\\" not in page
    assert '<span class="eqno">(1.1)' in page
    assert page.count("_static/formulas.css") == 1
    style = (tmp_path / "_static" / "formulas.css").read_text()
    fonts = {font.name for font in (tmp_path / "_static" / "mathjax").iterdir()}
    assert fonts
    assert all(font in style for font in fonts)


def test_a_page_without_formulas_loads_nothing_for_them(tmp_path):
    plain, other = (
        write(tmp_path, "<p>\\(x\\) in words</p>"),
        write(tmp_path, INLINE.format("x"), "other.html"),
    )
    formulas.typeset(tmp_path, {})
    assert "formulas.css" not in plain.read_text()
    assert "formulas.css" in other.read_text()


@pytest.mark.parametrize(
    "formula",
    [INLINE.format(r"\frac{1"), INLINE.format(r"\nosuchcommand"), '<span class="math x">x</span>'],
)
def test_a_formula_that_nobody_understands_stops_the_build(tmp_path, formula):
    write(tmp_path, formula)
    with pytest.raises(SystemExit, match="formulas"):
        formulas.typeset(tmp_path, {})


CSS = '@charset "utf-8";.a{x:1}.b,.a:hover{x:2}.b .a{x:3}@media print{.b{x:4}.a{x:5}}@media screen{.b{x:6}}'


def test_rules_that_cannot_match_go_and_all_others_stay():
    expected = '@charset "utf-8";.a{x:1}.a:hover{x:2}@media print{.a{x:5}}'
    assert slim.prune(CSS, {"a"}) == expected
    for rule in (
        "p{x:1}",
        ".a:not(.b){x:1}",
        ".a:is(.b,.c){x:1}",
        ".a:is(.b,[x],:not(.c)){x:1}",
        '[class*=".b"]{x:1}',
        "@keyframes k{0%{x:1}}",
    ):
        assert slim.prune(rule, {"a"}) == rule
    quoted = '.a{content:"}.b{"}'
    assert slim.prune(quoted + ".b{x:1}", {"a"}) == quoted
    assert slim.prune(r".a\.5{x:1}.b\.5{x:1}", {"a.5"}) == r".a\.5{x:1}"


def test_the_empty_corner_of_a_table_is_no_heading(tmp_path):
    path = write(tmp_path, '<th class="head"><p></p></th><th class="head"><p>x</p></th>')
    assert touch_up.touch_up(tmp_path) == 1
    assert path.read_text() == PAGE.format('<td></td><th class="head"><p>x</p></th>')


REFERENCES = """@article{shannon1948,
  author = {Shannon, Claude E.},
  title = {A Mathematical Theory of {Communication}},
  year = {1948}
}

@article{balle2017,
  author = {Ballé, Johannes and Laparra, Valero},
  title = {End-to-end Optimized Image Compression},
  year = {2017}
}
"""
BIBLIOGRAPHY = (
    '<div class="citation" id="id1"><p>Claude E. Shannon. A mathematical theory of communication. 1948.'
    '</p></div><div class="citation" id="id2"><p>Johannes Ballé. End-to-end optimized image compression. '
    "2017.</p></div>"
)


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("<p>(Ballé et al., 2017)</p>", '#id2">Ballé et al., 2017</a>)'),
        ("<p>Ballé and others (2017)</p>", '#id2">Ballé and others (2017)</a>'),
        ("<p><em>A mathematical theory of\ncommunication</em>, 1948</p>", '#id1"><em>A mathematical'),
        ("<p><em>End-to-end optimized image</em></p>", '#id2"><em>End-to-end'),
        ("<p>Ballé et al., 2018; <em>Image compression</em></p>", None),
        ('<p><a href="x">Ballé et al., 2017</a> <code>Shannon 1948</code></p>', None),
        ('<p><a href="x"><em>A mathematical theory of communication</em></a></p>', None),
        ("<h2>Shannon, 1948</h2>", None),
    ],
)
def test_citations_lead_to_their_entries(text, linked):
    papers = citations.read_papers(REFERENCES, BIBLIOGRAPHY)
    page, count = citations.link(PAGE.format(text), papers, "bibliography.html")
    assert count == bool(linked)
    assert (
        page == PAGE.format(text)
        if linked is None
        else f'<a class="citation" href="bibliography.html{linked}' in page
    )


def test_a_paper_that_the_bibliography_lacks_is_named():
    with pytest.raises(ValueError, match="A Mathematical Theory"):
        citations.read_papers(REFERENCES, "")


def test_a_download_names_the_fork_and_says_what_is_missing(tmp_path, repository):
    url = "https://github.com/ada/fork"
    shown = write(tmp_path, setup_cell.source())
    target = tmp_path / "_sources" / "book" / "gdn.ipynb"
    target.parent.mkdir(parents=True)
    target.write_bytes((repository / "book" / "gdn.ipynb").read_bytes())
    assert downloads.finish_downloads(tmp_path, url) == 1
    cells = [cell for cell in json.loads(target.read_text())["cells"] if cell["cell_type"] == "code"]
    source = "".join(cells[0]["source"])
    assert source.count(f"git+{url}@main") == 2
    assert setup_cell.repository_url() not in target.read_text() + shown.read_text()
    outside = source.replace("%pip", "# %pip", 1).replace("    # %pip", "    pass  # %pip")
    with pytest.raises(ModuleNotFoundError, match="pip install scikit-image"):
        exec(outside.replace('"codec_lib"', '"no_such_library"'), {})
    exec(outside, {})


def test_every_module_of_the_overview_has_a_page_below_it():
    listed = api_pages.modules()
    assert all(api_pages.module_path(name).is_file() for name in listed)
    assert len({api_pages.page_name(name) for name in listed}) == len(listed)
    toc = {"parts": [{"chapters": [{"file": "book/api"}, {"file": "book/gdn"}]}]}
    api, gdn = api_pages.with_pages(toc)["parts"][0]["chapters"]
    assert [entry["file"] for entry in api["sections"]] == [api_pages.page_name(name) for name in listed]
    assert {"file": "book/api/layers-gdn", "title": "layers.gdn"} in api["sections"]
    assert gdn == {"file": "book/gdn"}


def test_a_docstring_keeps_its_drawings_and_sets_its_code_as_code():
    lines = [
        "An idea of `x_hat` and a*b, y_.",
        "",
        "    a --> b",
        "",
        "* `one`: |x|",
        "  more",
        "",
        ">>> f(1)",
        "2",
    ]
    assert list(docstrings.essay(lines)) == [
        r"An idea of ``x_hat`` and a\*b, y\_.", "",
        ".. code-block:: text", "", "       a --> b", "",
        r"* ``one``: \|x\|", "  more", "",
        ".. code-block:: pycon", "", "   >>> f(1)", "   2", "",
    ]  # fmt: skip


def test_a_reference_to_an_equation_shows_its_number():
    equation = NUMBERED.format("x").replace("equation-a", "equation-box")
    text = "<p>By (box) and (other), <code>(box)</code>.</p>"
    page, count = equations.number(PAGE.format(equation + text))
    assert count == 1
    assert (
        '<p>By <a class="reference internal" href="#equation-box">(1.1)</a> and (other), <code>(box)'
        in page
    )


def test_a_page_without_text_has_no_description():
    assert description(None) == ""


def test_the_front_page_leads_on_and_says_what_is_there(tmp_path):
    head = '<title>A</title><meta property="og:title" content="The book"/><meta name="other" content="x"/>'
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "logo.svg").touch()
    first = write(tmp_path, "<h1>The book</h1>", "book/index.html")
    first.write_text(first.read_text().replace("<head>", f"<head>{head}"))
    page = build_book.front_page(tmp_path)
    (tmp_path / "index.html").write_text(page)
    assert Site(tmp_path).problems() == []
    assert 'content="0; url=book/index.html"' in page[:200]
    assert '<meta property="og:title" content="The book"/>' in page
    assert "other" not in page


@pytest.mark.parametrize(
    ("url", "pages"),
    [
        ("https://github.com/Ada/fork", "https://ada.github.io/fork/"),
        ("https://example.org/ada/fork", ""),
    ],
)
def test_the_address_of_the_site_follows_the_repository(url, pages):
    assert setup_cell.pages_url(url) == pages
