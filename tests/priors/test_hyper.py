"""The scale hyperprior: its tables are found in bands, with little memory, and are the same."""

import torch

from codec_lib import weights
from codec_lib.exact.fixed_point import FixedPointNetwork
from codec_lib.priors.hyper import HyperPrior

ROWS, ENOUGH = 64, 20  # of z; and how many rows of it a band may take


def test_a_tall_latent_s_tables_are_found_in_bands_and_are_the_same(monkeypatch):
    prior = weights.load("hyperprior").model.prior
    assert isinstance(prior, HyperPrior)
    y = torch.randint(-9, 10, (1, prior.M, 4 * ROWS, 4), generator=torch.Generator().manual_seed(1)).float()
    z = torch.randint(-3, 4, (1, prior.N, ROWS, 1), generator=torch.Generator().manual_seed(2)).float()
    network = prior.frozen.network("h_s")
    heights = []

    def once(x):
        heights.append(x.shape[2])
        return apply(network, x)

    apply = FixedPointNetwork.__call__
    monkeypatch.setattr(FixedPointNetwork, "__call__", lambda _, x: once(x))
    sections = prior.encode(y, 4, (z, y))
    assert len(heights) >= ROWS // ENOUGH
    assert max(heights) <= ENOUGH
    monkeypatch.setattr(FixedPointNetwork, "in_bands", lambda _, x, band, after: apply(network, x))
    assert prior.encode(y, 4, (z, y)) == sections
    decoded = prior.decode(sections, 4, (4 * ROWS, 4))
    assert torch.equal(decoded["y"].float(), y)
