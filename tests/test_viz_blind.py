"""The blind test: all pictures inside, no side that can be guessed, and what was chosen in the end."""

import ast
import html
import re

import numpy as np
import pytest

from codec_lib.viz import blind
from codec_lib.viz.blind import blind_test

NAMES = "smooth <1>", "it's sharp"


def pairs(count=6, side=24):
    random = np.random.default_rng(0)
    return [tuple(random.integers(0, 256, (2, side, side, 3), dtype=np.uint8)) for _ in range(count)]


def markup(count=6):
    return blind_test(pairs(count), NAMES, [f"note {k}" for k in range(count)]).data


def test_it_is_the_same_in_every_run_and_needs_no_network():
    assert markup() == markup()
    assert "http" not in markup()
    assert "<script" not in markup()
    assert len(re.findall("data:image/webp", markup())) == 12


def test_codecs_change_sides_and_names_are_escaped():
    first = re.findall(r'<div class="pair"[^>]*><button type="button" data-of="([^"]*)"', markup(24))
    assert set(first) == {"smooth &lt;1&gt;", "it&#x27;s sharp"}
    assert 4 < sum("sharp" in name for name in first) < 20


@pytest.mark.parametrize("notes", [[], ["a"] * 5])
def test_notes_and_sizes_have_to_fit(notes, monkeypatch):
    with pytest.raises(ValueError, match="one for each is needed"):
        blind_test(pairs(), NAMES, notes)
    with pytest.raises(ValueError, match="pairs: none"):
        blind_test([], NAMES, [])
    monkeypatch.setattr(blind, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="1,000 are allowed"):
        blind_test(pairs(), NAMES, ["a"] * 6)
    with pytest.raises(ValueError, match="differ"):
        blind_test([(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8))], NAMES, ["a"])


@pytest.mark.parametrize("question", ["Which one?", "What's\nbest?", "C:\\ or D:\\", "</b> \"'"])
def test_any_question_is_asked_again(question):
    page = blind_test(pairs(2), NAMES, ["a", "b"], question).data
    script = html.unescape(re.findall(r'onclick="([^"]*)"', page)[0])
    literal = re.search(r"of ' \+ all.length \+ ('.*') \} else", script)
    assert literal, script
    assert ast.literal_eval(literal[1]) == f". {question}"
