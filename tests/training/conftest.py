"""What tests of training share."""

import pytest

from codec_lib import data


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    image = data.sample("astronaut")
    for k in range(3):
        image.crop((100 * k, 0, 100 * k + 150, 150)).save(folder / f"{k}.png")
    return str(folder)
