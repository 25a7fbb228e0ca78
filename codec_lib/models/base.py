"""What every model shares: the result of a training pass, and pictures of any size.

A transform that halves the picture four times needs sides that divide by 16. `pad` repeats the last
row and column until they do, which costs next to no bits, and `crop` takes the picture back out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from codec_lib import picture
from codec_lib.entropy import rans
from codec_lib.entropy.pmf import Tables
from codec_lib.errors import section
from codec_lib.fixed_point import FixedPointNetwork
from codec_lib.layers.bands import in_bands
from codec_lib.layers.gain import GainUnit

Streams = dict[str, bytes]
OUTER = 3  # layers that work at the largest sizes: a convolution, its activation, and the next one
GPU_CODER = find_spec("triton") is not None  # PyTorch for CUDA brings Triton along, but not everywhere


@dataclass
class Output:
    """`x_hat` (B, 3, H, W), about [0, 1]; `bits`: for each stream the bits of each picture, (B,)."""

    x_hat: Tensor
    bits: dict[str, Tensor]

    def bpp(self) -> Tensor:
        """Bits per pixel of each picture, all streams together, shape (B,)."""
        return sum(self.bits.values()) / self.x_hat.shape[-2:].numel()

    def mse(self, x: Tensor) -> Tensor:
        """Mean squared error of each picture against x, on the scale of x, shape (B,)."""
        return (self.x_hat - x).square().flatten(1).mean(1)


def unchanged(x: Tensor) -> Tensor:
    """x."""
    return x


def samples(x: Tensor) -> Tensor:
    """Levels, uint8, as float32 in [0, 1]; what is no uint8 comes back as it is."""
    return x.float().div_(255) if x.dtype == torch.uint8 else x


class LossyModel(nn.Module):
    """Base of the lossy codecs. Subclasses set `stride` and write the four methods below.

    `tables` and `networks`, the integers that choose probabilities, are empty until `freeze` has made
    them; coding needs them, training does not.
    """

    stride: int
    unit = 1.0  # what a 1 in the integers of y stands for
    N: int
    M: int
    g_a: nn.Sequential
    g_s: nn.Sequential
    gain: GainUnit

    def __init__(self):
        super().__init__()
        self.tables: dict[str, Tables] = {}
        self.networks: dict[str, FixedPointNetwork] = {}

    def forward(self, x: Tensor, quality: Tensor) -> Output:
        """Training pass (noise) or, in eval mode, what coding would give (rounding).

        x is (B, 3, H, W) in [0, 1] with sides that divide by `stride`, quality (B,) in [1, 8].
        """
        raise NotImplementedError

    @property
    def widths(self) -> dict[str, int]:
        """The arguments that build such a model again."""
        return {"N": self.N, "M": self.M}

    def start_from(self, other: nn.Module) -> None:
        """Begin training with the parameters of a model of the same kind and widths."""
        self.load_state_dict(other.state_dict())

    def freeze(self) -> "LossyModel":
        """Make the integer tables and networks from the trained parameters, and return the model."""
        raise NotImplementedError

    def compress(self, x: Tensor, quality: float) -> Streams:
        """Real bytes for one picture x (1, 3, H, W) of any size, in [0, 1] or as levels, uint8."""
        raise NotImplementedError

    def read(self, streams: Streams, quality: float, height: int, width: int) -> dict[str, Tensor]:
        """The integers of every stream: the half of the decoder that is exact on every machine.

        Raises BitstreamError when a stream does not fit the declared size.
        """
        raise NotImplementedError

    @torch.inference_mode()
    def decompress(self, streams: Streams, quality: float, height: int, width: int) -> Tensor:
        """The picture (1, 3, height, width), clamped to [0, 1], from the bytes of `compress`.

        Raises BitstreamError as `read` does.
        """
        y_hat = self._scaled_latents(streams, quality, height, width)
        return crop(self.synthesize(y_hat), height, width).clamp_(0, 1)

    @torch.inference_mode()
    def decompress_levels(self, streams: Streams, quality: float, height: int, width: int) -> Tensor:
        """The same as levels, uint8: in far less memory, since no float picture is ever whole."""
        y_hat = self._scaled_latents(streams, quality, height, width)
        return crop(self.synthesize(y_hat, picture.quantize), height, width)

    def _scaled_latents(self, streams: Streams, quality: float, height: int, width: int) -> Tensor:
        y_hat = self.read(streams, quality, height, width)["y"]
        _, inverse = self.gain(self.quality_tensor(quality))
        return (y_hat * (inverse * self.unit)).contiguous(memory_format=torch.channels_last)

    def analyze(self, x: Tensor) -> Tensor:
        """y (B, M, h, w) of samples or levels x: g_a, its outer layers in bands."""
        outer = self.g_a[:OUTER]
        return self.g_a[OUTER:](in_bands(outer, x, lambda band: outer(samples(band))))

    def synthesize(self, y_hat: Tensor, finish: Callable[[Tensor], Tensor] = unchanged) -> Tensor:
        """x_hat (B, 3, H, W): g_s, its outer layers in bands, each of which is finished by itself."""
        outer = self.g_s[-OUTER:]
        return in_bands(outer, self.g_s[:-OUTER](y_hat), lambda band: finish(outer(band)))

    def quality_tensor(self, quality: float) -> Tensor:
        """One quality as the (1,) tensor that gain units take, on the model's device."""
        return torch.tensor([quality], device=next(self.parameters()).device)

    def grid(self, height: int, width: int, stride: int) -> tuple[int, int]:
        """Size of a latent at 1 / stride of the padded picture."""
        rows, columns = -(-height // self.stride), -(-width // self.stride)
        return rows * self.stride // stride, columns * self.stride // stride


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


def channel_indexes(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Tables of a stream whose every channel has one: (1, H, rows, columns)."""
    return torch.arange(shape[1], dtype=torch.int32, device=device)[:, None, None].expand(tuple(shape))


def write_symbols(symbols: Tensor, indexes: Tensor, tables: Tables) -> bytes:
    """A stream of integers, in channel, row, column order, each with a row of the tables.

    symbols and indexes have the same number of elements; where they are on a GPU they are coded there.
    """
    symbols, indexes = symbols.flatten().to(torch.int32), indexes.flatten()
    if symbols.is_cuda and GPU_CODER:
        from codec_lib.entropy import rans_triton

        return rans_triton.encode(symbols[None], indexes[None], tables)[0]
    return rans.encode(symbols.cpu().numpy(), indexes.cpu().numpy(), tables)


def read_symbols(name: str, streams: Streams, indexes: Tensor, tables: Tables) -> Tensor:
    """The int32 symbols of stream `name`, in the shape and on the device of their indexes.

    Raises BitstreamError that names the stream.
    """
    flat = indexes.flatten()
    with section(name):
        if flat.is_cuda and GPU_CODER:
            from codec_lib.entropy import rans_triton

            symbols = rans_triton.decode([streams[name]], flat[None], tables)
        else:
            symbols = torch.from_numpy(rans.decode(streams[name], flat.cpu().numpy(), tables)).to(
                flat.device
            )
    return symbols.view(indexes.shape)
