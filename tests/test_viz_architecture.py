"""Drawings of codecs say what the modules are: each has its place, with its own number of channels."""

import re
from collections import Counter
from xml.etree import ElementTree

import pytest
import torch
from torch import nn

from codec_lib import viz, weights
from codec_lib.layers.conditional import ConditionalConv2d
from codec_lib.models import MODELS
from codec_lib.models.base import Model
from codec_lib.models.scale_hyperprior import ScaleHyperprior
from codec_lib.viz.architectures import architecture
from codec_lib.viz.diagram import STYLE, WIDTH, Diagram
from codec_lib.viz.diagrams.parts import Box, Line
from codec_lib.viz.formulas import plain

CONVOLUTIONS = nn.Conv2d, nn.ConvTranspose2d, nn.Conv3d
SMALLEST = 9  # pixels of a letter on a phone, whose column is as wide as a drawing


def trained() -> dict[str, Model]:
    """A model of each architecture that has weights."""
    loaded = [weights.load(name) for name in weights.paths()]
    return {one.architecture: one.model for one in loaded}


TRAINED = trained()


@pytest.fixture(params=MODELS)
def drawn(request) -> tuple[Model, Diagram]:
    model = TRAINED[request.param]
    return model, architecture(model)


def lines(diagram: Diagram) -> list[Line]:
    nodes = [node for level in diagram.levels for node in level.nodes()]
    return [line for node in nodes if isinstance(node, Box) for line in node.lines]


def svg(diagram: Diagram) -> ElementTree.Element:
    return ElementTree.fromstring(diagram.svg())


def test_every_parameter_belongs_to_a_part_of_the_drawing(drawn):
    model, diagram = drawn
    parts = [part for level in diagram.levels for node in level.nodes() for part in node.of]
    for part in parts:
        assert any(name.startswith(part) for name, _ in model.named_parameters()), part
    for name, _ in model.named_parameters():
        assert any(name == part or name.startswith(f"{part}.") for part in parts), name


def test_every_convolution_is_drawn_once_with_its_channels(drawn):
    model, diagram = drawn
    found = [m.out_channels for m in model.modules() if isinstance(m, CONVOLUTIONS)]
    found += [len(m.weight) for m in model.modules() if isinstance(m, ConditionalConv2d)]
    assert Counter(n for line in lines(diagram) for n in line.outputs) == Counter(found)


def test_the_numbers_of_a_line_are_those_of_its_convolutions(drawn):
    for line in lines(drawn[1]):
        if line.outputs and line.channels:
            numbers = [int(number) for number in re.findall(r"\d+", line.channels)]
            # "192 of 320": of how many, the layers before say.
            assert set(numbers[:1] if " of " in line.channels else numbers) <= set(line.outputs)


def test_every_line_is_in_the_drawing_and_in_its_words(drawn):
    _, diagram = drawn
    texts = ["".join(text.itertext()) for text in svg(diagram).iter("text")]
    words = svg(diagram).get("aria-label")
    assert words == repr(diagram)
    for line in lines(diagram):
        shown = re.sub(r"[$_{}]", "", line.text)
        assert any(shown.strip() == text.strip() for text in texts), line.text
        assert line.text.replace("$", "").strip() in words


def test_words_have_no_marks_and_keep_the_bars_of_formulas():
    assert plain("Q of $y - μ$,|AE") == "Q of y - μ, AE"
    assert plain("$h_a$ of $|y|$, bits $t$, $x̂_{t-1}$") == "h_a of |y|, bits t, x̂_t-1"


def test_other_widths_give_another_drawing():
    with torch.device("meta"):
        narrow = architecture(ScaleHyperprior(N=24, M=40))
    assert [line.channels for line in lines(narrow)][:4] == ["24", "24", "24", "40"]
    assert "y 40 × H/16 × W/16" in repr(narrow)


def test_a_drawing_shows_text_that_a_phone_can_show(drawn):
    sizes = [float(size) for size in re.findall(r"font[^;}]*?([\d.]+)px", STYLE)]
    assert len(sizes) == 3
    assert min(sizes) >= SMALLEST
    drawing = svg(drawn[1])
    assert drawing.get("viewBox").startswith(f"0 0 {WIDTH} ")
    assert drawing.get("role") == "img"


def test_a_name_gives_the_same_drawing_every_time():
    assert viz.architecture("hyperprior")._repr_html_() == viz.architecture("hyperprior")._repr_html_()


def test_an_architecture_without_weights_of_its_name_has_its_default_widths():
    assert "codec-in-the-loop" not in weights.paths()
    assert repr(viz.architecture("codec-in-the-loop")).startswith("codec-in-the-loop. encoder: x 3 × H × W")


def test_nobody_draws_what_is_unknown():
    with pytest.raises(ValueError, match="'sketch'; there are"):
        viz.architecture("sketch")
