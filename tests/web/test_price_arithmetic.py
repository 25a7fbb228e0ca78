"""What the page says of a place is what Python's walk through the latents says, and adds up to the file."""

import numpy as np
import pytest

import codec_lib as cl
from codec_lib import container, weights
from codec_lib.density import gaussian
from codec_lib.entropy import pmf
from codec_lib.entropy.units import FRACTION_BITS
from codec_lib.models.transform import TransformCodec
from codec_lib.priors.context import ContextPrior, ContextWalk
from codec_lib.priors.symbols import channel_indexes
from tests.web.conftest import PICTURES
from tests.web.page import Page
from tools import web_weights

NAMES = "odd", "chunks"  # the second has more than one chunk a step, and four lanes
HEAD, STATE = 3, 5  # bytes of a stream before its escape codes, at most here; bytes of a lane's state


@pytest.fixture(scope="module", params=NAMES)
def told(request, site, tmp_path_factory):
    """A file by Python, what the page says of it, and the prices (places, 5, M)."""
    image, quality = PICTURES[request.param]
    data = cl.encode(image, quality=quality)
    page = Page(site, tmp_path_factory.mktemp("prices"))
    page.folder.joinpath("file").write_bytes(data)
    (answer,) = page.ask({"decode": "file", "prices": True})
    prices = np.fromfile(page.folder / "file.prices", "<f8").reshape(-1, 5, web_weights.M)
    return container.read(data), answer, prices


def test_means_tables_symbols_and_bits_are_those_of_the_walk(told):
    file, _, prices = told
    model = weights.load(web_weights.NAME).model
    assert isinstance(model, TransformCodec)
    assert isinstance(model.prior, ContextPrior)
    head = file.header
    decoded = model.read(file.take(["z", "y"]), head.value, head.height, head.width)
    latents, tables = decoded["y"][0], model.frozen.tables("y")
    walk = ContextWalk(model.prior.order, model.frozen, decoded["z"], tuple(latents.shape))
    for places in walk.places():
        mu, index = walk.distribution(places)
        symbol = (latents.flatten(1)[:, places] - mu.int()) >> FRACTION_BITS
        walk.put(places, symbol, mu)
        cost = pmf.surprise(symbol.flatten().numpy(), index.flatten().numpy(), tables)
        found = prices[places].transpose(1, 2, 0)
        assert np.abs(found[0] - cost.reshape(symbol.shape)).max() < 1e-12  # a logarithm below 2^7
        assert np.array_equal(found[1], mu.numpy() / 2**FRACTION_BITS)
        assert np.allclose(found[2], gaussian.scale_table().numpy()[index.numpy()], rtol=1e-12)
        assert np.array_equal(found[3], symbol.numpy())
        assert np.array_equal(found[4], index.numpy())


def test_bits_of_z_are_those_of_its_tables(told):
    file, answer, _ = told
    model, head = weights.load(web_weights.NAME).model, file.header
    z = model.read(file.take(["z", "y"]), head.value, head.height, head.width)["z"]
    indexes = channel_indexes(z.shape, z.device).flatten().numpy()
    cost = pmf.surprise(z.flatten().int().numpy(), indexes, model.frozen.tables("z"))
    assert abs(answer["hyper"] - cost.sum()) < 1e-6


def test_the_total_is_the_length_of_the_stream(told):
    """A coder adds its head and its lanes' states, and rounds: by less than a thousandth of the bits."""
    file, answer, prices = told
    for section, bits in (("y", prices[:, 0].sum()), ("z", answer["hyper"])):
        stream = file.take([section])[section]
        lanes = 1 << (stream[0] & 15)
        assert 0 <= 8 * len(stream) - bits <= 8 * (HEAD + lanes * STATE) + bits / 1000
