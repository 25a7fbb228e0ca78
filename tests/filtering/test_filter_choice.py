"""Which filter a picture gets: it takes from the error what it says, and no more bits than are worth it."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from codec_lib import container, data, picture
from codec_lib.entropy import rice
from codec_lib.errors import BitstreamError
from codec_lib.filtering import choice
from codec_lib.filtering.layer import COLOURS, FEATURES, PictureFilter
from codec_lib.header import Header

WORTH = 20_000.0  # bits of a squared error of 1, as at a quality in the middle


def photo(size=(256, 200)):
    return picture.to_levels(data.sample("astronaut").crop((130, 0, 130 + size[0], size[1])))


def blurred(levels):
    kernel = torch.tensor([[1.0, 2, 1], [2, 8, 2], [1, 2, 1]])[None, None] / 20
    return F.conv2d(
        F.pad(levels.float() / 255, (1, 1, 1, 1), mode="replicate"), kernel.repeat(3, 1, 1, 1), groups=3
    )


def error(x, levels):
    return (x - levels.float() / 255).square().sum().item()


def shown(section, x_hat):
    integers, step = choice.read(section)
    return PictureFilter(integers * 2.0**-step)(x_hat)


def test_a_blurred_picture_is_sharpened():
    levels = photo()
    x_hat = blurred(levels)
    section = choice.fit(x_hat, levels, WORTH)
    assert section is not None
    assert error(shown(section, x_hat), levels) < 0.5 * error(x_hat, levels)


def test_its_bits_are_worth_what_they_take_from_the_error():
    levels = photo()
    x_hat = blurred(levels)
    for worth in (30.0, 300.0, 3000.0):
        section = choice.fit(x_hat, levels, worth)
        assert section is not None
        gained = error(x_hat, levels) - error(shown(section, x_hat), levels)
        assert worth * gained > 8 * (choice.ENTRY + len(section))


def test_the_entry_of_a_header_is_that_long():
    header = Header("flagship", "0011223344556677", "0011223344556677", 8, 8, "RGB", "quality", 4.0)
    without, with_one = (container.write(header, sections) for sections in ({}, {"f": b""}))
    assert len(with_one) - len(without) == choice.ENTRY


def test_more_bits_are_spent_where_errors_weigh_more():
    levels = photo()
    x_hat = blurred(levels)
    sizes = [len(choice.fit(x_hat, levels, worth) or b"") for worth in (30.0, 3000.0, 300_000.0)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_where_no_filter_helps_there_is_none():
    levels = photo()
    exact = levels.float() / 255
    noise = torch.rand(exact.shape, generator=torch.Generator().manual_seed(0)) - 0.5
    assert choice.fit(exact, levels, WORTH) is None
    assert choice.fit(exact[..., :9, :9], levels[..., :9, :9], WORTH) is None
    assert (
        choice.fit(0.5 + 0.01 * noise, (255 * (0.5 + 0.01 * noise.roll(99, 3))).round().byte(), 1.0) is None
    )


def test_no_integer_alone_should_be_another():
    levels = photo((96, 80))
    A, b = choice._sums(blurred(levels), levels)
    start = np.linalg.solve(A + np.diag(1e-2 * A.diagonal() + 1e-9), b)
    for step in choice.STEPS:
        k = choice._settled(A, b, start, step, WORTH)
        parameter = rice.best(k.ravel())

        def cost(k, step=step, parameter=parameter):
            W = k * 2.0**-step
            return rice.bits(k, parameter).sum() + WORTH * (W * (A @ W - 2 * b)).sum()

        least = cost(k)
        for i, j in np.ndindex(FEATURES, COLOURS):
            for change in (-1, 1):
                other = k.copy()
                other[i, j] += change
                assert cost(other) > least - 1e-3 * abs(least)


def test_grey_pictures_gain_though_their_colours_are_alike():
    levels = photo()[:, 1:2].expand(1, 3, -1, -1)
    x_hat = blurred(levels)
    section = choice.fit(x_hat, levels, WORTH)
    assert section is not None
    assert error(shown(section, x_hat), levels) < 0.6 * error(x_hat, levels)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda s: b"", "step missing"),
        (lambda s: bytes([3]) + s[1:], "step 03"),
        (lambda s: s[:-1], "truncated"),
        (lambda s: s + b"\0", "bits after"),
        (lambda s: s[:1] + rice.encode(np.full(COLOURS * FEATURES, choice.LARGEST + 1)), "weight 4097"),
    ],
)
def test_what_is_no_filter_is_refused(damage, reason):
    levels = photo((96, 80))
    section = choice.fit(blurred(levels), levels, WORTH)
    with pytest.raises(BitstreamError, match=reason):
        choice.read(damage(section))
