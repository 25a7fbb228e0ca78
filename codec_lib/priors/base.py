"""The interface of all priors: a pass for training, freezing, encoding, decoding.

    training    forward(y, gain)  -> y_hat and estimated bits          floats, with gradients
    once        freeze(gains)     -> tables and networks of integers   saved with the weights
    coding      encode(y, quality), decode(sections, quality, size)    integers only

A prior knows latents, not pictures: where y comes from and what becomes of y_hat is a codec's business.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from torch import Tensor, nn

from codec_lib.exact.frozen import Frozen
from codec_lib.layers.gain import GainUnit

Sections = dict[str, bytes]  # the bytes of a file's sections, by name


class Choice(NamedTuple):
    """What an encoder decides of y before anything is coded, in floats."""

    z_hat: Tensor | None  # integers; of priors without hyper-latents None
    chosen: Tensor  # (1, M, h, w): symbols, or what a prior says that its symbols follow from


class Prices(NamedTuple):
    """What is chosen costs so much where it stands, with gradients."""

    rest: Tensor  # chosen + rest is y_hat: mu of symbols, what latents to come near will miss
    bits_of: Callable[[Tensor], Tensor]  # from anything chosen, of the same shape, to the bits of each


class Prior(nn.Module, ABC):
    """p(y) of latents y (B, M, h, w) that are scaled by the gain of their quality already.

    Attributes:
        sections: names of the sections that `encode` writes, in the order in which a decoder needs them.
        M: channels of y.
        reduction: h and w have to divide by it.
        unit: what a 1 in the integers of y stands for.
        rates: what the rate of y can be taken of in training; `rate` is which.
        frozen: tables and networks, empty until `freeze`, or until weights are loaded.
    """

    sections: tuple[str, ...]
    M: int
    reduction: int = 1
    unit: float = 1.0
    rates: tuple[str, ...] = ("noise",)
    rate: str = "noise"

    def __init__(self):
        super().__init__()
        self.frozen = Frozen()

    @abstractmethod
    def forward(self, y: Tensor, gain: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """y_hat, like y, and the bits of each section for each picture, (B,).

        In training the bits of y are those of `rate`, those of hyper-latents always of noise; in eval mode
        all is what coding gives. gain (B, M, 1, 1) is what y was multiplied with.
        """

    @abstractmethod
    def freeze(self, gains: GainUnit) -> None:
        """Make what `frozen` holds from the trained parameters; gains are the codec's for y."""

    @abstractmethod
    def encode(self, y: Tensor, quality: float, choice: Choice | None = None) -> Sections:
        """The sections of latents y (1, M, h, w).

        choice: what was decided of y already, and is coded as it is.
        """

    @abstractmethod
    def choose(self, y: Tensor) -> Choice:
        """What `encode` decides of y, estimated: what an encoder that tries harder begins with."""

    @abstractmethod
    def price(self, chosen: Tensor, z_hat: Tensor | None, gain: Tensor) -> Prices:
        """What a choice costs; gain (1, M, 1, 1) is what y was multiplied with."""

    @abstractmethod
    def decode(self, sections: Sections, quality: float, size: tuple[int, int]) -> dict[str, Tensor]:
        """The integers of every section; "y" is (1, M, h, w) in `unit`, for size (h, w).

        The half of a decoder that is exact on every machine. Raises SectionError when one does not fit.
        """

    def bit_map(self, decoded: dict[str, Tensor]) -> np.ndarray | None:
        """-log2 p of "y" in what `decode` returned, summed over channels: (h, w). None: it cannot say."""
        return None
