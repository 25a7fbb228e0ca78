"""The protocol of every codec.

A codec is one class. Whatever encodes, decodes, trains, measures or stores it knows it as a `Model` and
knows nothing else of it: no name, no class, no section of a file. A new system is a file in this folder, a
line in `MODELS`, and weights.

A transform that halves the picture four times needs sides that divide by 16. `pad` repeats the last
row and column until they do, which costs next to no bits, and `crop` takes the picture back out.
"""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from torch import Tensor, nn

from codec_lib.exact.frozen import Frozen
from codec_lib.priors.base import Sections
from codec_lib.setting import Setting

if TYPE_CHECKING:
    from codec_lib.training.objectives import Objective
    from codec_lib.training.settings import Settings

OUTER = 3  # layers that work at the largest sizes: a convolution, its activation, and the next one


class Model(nn.Module, ABC):
    """A codec, from 8-bit levels to the sections of a file and back.

    Attributes:
        setting: the number that an encoder is asked for; files grow from its coarsest to its finest.
        widths: the arguments that build such a model again.
        frozen: the integers that choose probabilities, by name: empty until `freeze`, or until weights
            are loaded. Coding needs them, training does not.
        stride: what the sides of the pictures that `forward` sees have to divide by.
        best_effort: 0, or how hard the encoder can try.
        default_effort: how hard it tries unless asked.
        optional: names of sections that only some files have. They refine the picture, and each is a
            stage, after those of all files.
    """

    setting: Setting
    stride: int = 1
    best_effort: int = 0
    default_effort: int = 0
    optional: tuple[str, ...] = ()

    def __init__(self, **widths: int):
        super().__init__()
        self.widths = widths
        self.frozen = Frozen()

    @abstractmethod
    def stages(self, setting: float) -> tuple[tuple[str, ...], ...]:
        """The names of a file's sections in groups: the first k groups give a picture, for every k >= 1."""

    @abstractmethod
    def compress(self, levels: Tensor, setting: float, effort: int = 0) -> Sections:
        """The sections of one picture, uint8 (1, 3, H, W) of any size: of `stages`, then `optional` ones.

        effort is 0 to `best_effort`.
        """

    @abstractmethod
    def decompress(self, sections: Sections, setting: float, height: int, width: int) -> Tensor:
        """The picture, uint8 (1, 3, height, width), from the sections of the first stages, or of all.

        Raises SectionError when one does not fit the declared size.
        """

    def read(self, sections: Sections, setting: float, height: int, width: int) -> dict[str, Tensor]:
        """The integers that sections hold, by name, the same on every machine; {} where a model tells none.

        Where there is a `standard_file` they are levels that a library shows, and others may show others.
        What `decompress` makes of them may be floats, which differ in the last digits.
        """
        return {}

    def decompress_part(
        self, sections: Sections, setting: float, height: int, width: int, rows: slice, columns: slice
    ) -> Tensor:
        """Some rows and columns of what `decompress` gives; overridden where less work will do."""
        return self.decompress(sections, setting, height, width)[..., rows, columns]

    def promise(self, setting: float) -> int | None:
        """The largest error of any sample of a whole file; None where nothing is promised."""
        return None

    def standard_file(self, sections: Sections) -> tuple[str, bytes] | None:
        """The codec and the bytes of a file that any program opens, where the sections have one.

        The codec is one of `codec_lib.standard.STANDARD`.
        """
        return None

    def bit_map(self, sections: Sections, setting: float, height: int, width: int) -> np.ndarray | None:
        """Bits that each place of the latents took, (h, w); None where that is not known."""
        return None

    @abstractmethod
    def freeze(self) -> "Model":
        """Make what `frozen` holds from the trained parameters, and return the model."""

    @abstractmethod
    def objective(self, settings: "Settings") -> "Objective":
        """What training minimizes: who is trained, by which optimizer, on which loss."""

    def start_from(self, other: nn.Module) -> None:
        """Begin training with the parameters of a model of the same kind and widths.

        Raises RuntimeError or AttributeError for one that does not fit.
        """
        self.load_state_dict(other.state_dict())

    def take_from(self, state: dict[str, Tensor]) -> None:
        """Begin training with some parameters and buffers by name; the others stay as they are.

        Raises RuntimeError for names or shapes that are not here.
        """
        found = self.load_state_dict(state, strict=False)
        if found.unexpected_keys:
            raise RuntimeError(f"start: it has {', '.join(found.unexpected_keys)}, and this one has not")

    def channels_last(self) -> Self:
        """Lay out the weights of two-dimensional convolutions as fast ones want them; returns the model."""
        for parameter in self.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        return self

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        return next(self.parameters()).device

    def quality_tensor(self, quality: float) -> Tensor:
        """One quality as the float32 (1,) tensor that a forward pass takes, on the device."""
        return torch.tensor([quality], dtype=torch.float32, device=self.device)

    def is_prior_alone(self) -> bool:
        """Whether nothing but the prior is trained: its parameters are the only ones with gradients."""
        trained = {name.split(".")[0] for name, p in self.named_parameters() if p.requires_grad}
        return trained == {"prior"}


def samples(x: Tensor) -> Tensor:
    """Levels, uint8, as float32 in [0, 1]; what is no uint8 comes back as it is."""
    return x.to(torch.float32).div_(255) if x.dtype == torch.uint8 else x


def pad(x: Tensor, stride: int) -> Tensor:
    """Repeat the last row and column until both sides of (B, 3, H, W) divide by `stride`.

    The result is channels-last, the order in which convolutions are fastest.
    """
    for dim in (-2, -1):
        if missing := -x.shape[dim] % stride:
            x = torch.cat((x, *[x.narrow(dim, -1, 1)] * missing), dim)
    return x.contiguous(memory_format=torch.channels_last)


def crop(x: Tensor, height: int, width: int) -> Tensor:
    """The upper left (height, width) part of x."""
    return x[..., :height, :width]
