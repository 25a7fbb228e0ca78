"""What an encoder may be asked for: numbers of any kind, an effort, a size."""

import numpy as np
import pytest

import codec_lib as cl
from codec_lib import data

PHOTO = data.sample("astronaut").crop((150, 20, 246, 100))


@pytest.mark.parametrize("number", [3, 3.0, np.float32(3), np.int64(3), np.uint8(3)])
def test_numbers_of_numpy_are_numbers(number):
    assert cl.encode(PHOTO, quality=number) == cl.encode(PHOTO, quality=3)


@pytest.mark.parametrize("options", [{"quality": np.bool_(True)}, {"effort": True}, {"target_bytes": True}])
def test_true_is_no_number(options):
    with pytest.raises(ValueError, match="True"):
        cl.encode(PHOTO, **options)


def test_an_effort_may_be_a_whole_float():
    small = PHOTO.crop((0, 0, 32, 32))
    assert cl.encode(small, effort=1.0) == cl.encode(small, effort=1)


def test_a_target_below_one_byte_is_named_as_it_was_given():
    with pytest.raises(ValueError, match=r"target: 0\.5 bytes; the smallest file has"):
        cl.encode(PHOTO, target_bytes=0.5)


@pytest.mark.parametrize("effort", [10, -1, 0.5])
def test_an_effort_that_the_model_does_not_know_is_refused(effort):
    with pytest.raises(ValueError, match=f"effort: {effort}; flagship takes 0 to 9"):
        cl.encode(PHOTO, effort=effort)
