r"""A network before a standard codec, and one after it: in the file is one of that codec.

    x --> bicubic / 2 --(+)--> x_m --> JPEG --> bicubic * 2 --(+)--> x_hat
    '---> Compaction ----^                          '-> Reconstruction -^

Half as many pixels each way cost so few bits that JPEG can keep them well, where it would otherwise keep
next to nothing of each block. What is lost is the detail of the larger picture, so this pays at low rates.
From quality `switch` on, pictures go through the codec at their own size, and only the second network acts.
Any program opens the file that `extract` takes out, and shows the picture that the codec has: the smaller
one, without the second network.

The codec has no gradient. The first network learns from one of

    "dropped"    the second network sees x_m itself, as if there were no codec (the paper)
    "straight"   it sees what the codec makes of x_m, and x_m gets the gradient of that (the paper's code)
    "proxy"      the same, through a JPEG that has one (`codec_lib.layers.jpeg_proxy`)

A network that is only told to lower the error sharpens what it sends: that helps, and costs bits that
nobody counts. So files count here, with the gradient of what a JPEG of x_m would need (the paper has no
such term).

Both networks are told the quality, so one pair of them serves all. The second has the paper's 20 layers, in
residual blocks, on pixels of 2x2 taken together: a quarter of the work.

Source: Jiang, Tao, Liu, Ren, Guo, Zhao, "An end-to-end compression framework based on convolutional neural
networks", IEEE Trans. Circuits and Systems for Video Technology, 2018.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec_lib import picture, standard
from codec_lib.errors import section
from codec_lib.layers import jpeg_proxy
from codec_lib.layers.bands import in_bands
from codec_lib.layers.convolution import conv, start_small
from codec_lib.layers.residual import PartialResidualBlock
from codec_lib.models.base import Model, crop, pad, samples
from codec_lib.models.output import Output
from codec_lib.priors.base import Sections
from codec_lib.setting import QUALITY

if TYPE_CHECKING:
    from codec_lib.training.objectives import Objective
    from codec_lib.training.settings import Settings

CODECS = "jpeg", "webp", "jpeg2k"
RANGES = {  # of the codec's own quality that networks are told of, for halved pictures and for whole ones
    "jpeg": ((8, 60), (10, 92)),
    "webp": ((1, 60), (5, 92)),
    "jpeg2k": ((24, 31), (27, 38)),
}
FLAT = torch.tensor([100, 120, 140], dtype=torch.uint8)[None, :, None, None].expand(1, 3, 8, 8)
LEAST_BITS = 64.0  # that a file counts for in training
# How far up their range halved pictures go, and where whole ones begin: there, they show as much in as many
# bytes (of jpeg2k nobody has looked).
CROSSING = {"jpeg": (0.5, 0.0), "webp": (0.5, 0.05), "jpeg2k": (0.5, 0.0)}
TOLD = 3  # numbers that the networks are told


class CodecInTheLoop(Model):
    """Jiang 2017 with K channels in both networks, D blocks in the second, around one of `CODECS`."""

    setting = QUALITY
    stride = 2
    past = "dropped"
    weighs_rate = True
    switch = 4.0  # qualities below it halve both sides

    def __init__(self, K: int = 48, D: int = 9, codec: int = 0):
        super().__init__(K=K, D=D, codec=codec)
        self.codec = CODECS[codec]
        self.ranges = RANGES[self.codec]
        self.compaction = nn.Sequential(
            conv(3 + TOLD, K, 3, 1), nn.ReLU(),
            conv(K, K, 3, 2), nn.ReLU(),
            conv(K, 3, 3, 1),
        )  # fmt: skip
        self.reconstruction = nn.Sequential(
            nn.PixelUnshuffle(2), conv(4 * (3 + TOLD), K, 3, 1),
            *(PartialResidualBlock(K) for _ in range(D)),
            conv(K, 4 * 3, 3, 1), nn.PixelShuffle(2),
        )  # fmt: skip
        for last in (self.compaction[-1], self.reconstruction[-2]):
            start_small(last)

    def stages(self, setting: float) -> tuple[tuple[str, ...], ...]:
        return ((self.codec,),)

    def is_halved(self, quality: float) -> bool:
        """Whether pictures of this quality go through the codec at half the size."""
        return quality < self.switch

    def codec_quality(self, quality: float) -> float:
        """What the codec is asked for at a quality in [1, 8]."""
        low, high = self.ranges[0 if self.is_halved(quality) else 1]
        return low + self._share(quality) * (high - low)

    def _share(self, quality: float) -> float:
        """How far up its range the codec's quality is."""
        last, first = CROSSING[self.codec]
        if self.is_halved(quality):
            return last * (quality - QUALITY.coarsest) / (self.switch - QUALITY.coarsest)
        return first + (1 - first) * (quality - self.switch) / (QUALITY.finest - self.switch)

    def qualities_of(self, part: str, quality: Tensor) -> Tensor:
        """What qualities in [1, 8] become in the turn of a part: the first network sees low ones only."""
        if part == "reconstruction":
            return quality
        return 1 + (quality - 1) * (self.switch - 1 - QUALITY.step) / (QUALITY.finest - 1)

    def told(self, x: Tensor, qualities: list[float]) -> Tensor:
        """Pictures (B, 3, H, W) in [0, 1] around zero, and beside them what networks are told of each."""
        numbers = []
        for quality in qualities:
            share, is_halved = self._share(quality), float(self.is_halved(quality))
            numbers.append((is_halved, share * is_halved, share * (1 - is_halved)))
        planes = torch.tensor(numbers, dtype=x.dtype, device=x.device)[:, :, None, None]
        return torch.cat((x - 0.5, planes.expand(-1, -1, *x.shape[2:])), 1)

    def forward(self, x: Tensor, quality: Tensor) -> Output:
        """Through real files: x is (B, 3, H, W) in [0, 1], sides are even; quality (B,) in [1, 8]."""
        pictures, bits = [], []
        for one, q in zip(x, quality.tolist(), strict=True):
            sent = self.compact(one[None], q) if self.is_halved(q) else one[None]
            seen, size = self.through(sent, q)
            pictures.append(enlarged(seen) if self.is_halved(q) else seen)
            bits.append(self.counted(sent, q, size))
        x_hat = self.reconstruct(torch.cat(pictures), quality.tolist())
        return Output(x_hat.float(), {self.codec: torch.stack(bits)})

    def counted(self, sent: Tensor, quality: float, size: int) -> Tensor:
        """The bits of a file of so many bytes, a scalar, with the gradient of JPEG's for what was sent.

        In training without the header: crops are small, and a whole picture has only one.
        """
        bits = torch.tensor(8.0 * size, device=sent.device)
        if not (self.training and self.weighs_rate):
            return bits
        bits = (bits - 8.0 * len(self.write(FLAT, quality))).clamp(min=LEAST_BITS)
        about = jpeg_proxy.bits(sent, torch.tensor([self.codec_quality(quality)]))[0]
        return bits + about - about.detach()

    def compact(self, x: Tensor, quality: float) -> Tensor:
        """x_m (1, 3, H/2, W/2) in [0, 1] of x (1, 3, H, W)."""
        return (reduced(x) + self._applied(self.compaction, self.told(x, [quality]))).clamp(0, 1)

    def reconstruct(self, x: Tensor, qualities: list[float]) -> Tensor:
        """x_hat of decoded pictures at their full size (B, 3, H, W), H and W even."""
        return x + self._applied(self.reconstruction, self.told(x, qualities))

    @staticmethod
    def _applied(network: nn.Sequential, x: Tensor) -> Tensor:
        """The network's outputs, float32; in bands where nothing is trained."""
        return (network(x) if torch.is_grad_enabled() else in_bands(network, x)).float()

    def through(self, x: Tensor, quality: float) -> tuple[Tensor, int]:
        """What comes out of the codec for x (1, 3, h, w) in [0, 1], and the bytes of the file.

        Where x has a gradient, what `past` says: "dropped" gives back x itself.
        """
        levels = picture.round_to_levels(x.detach().float().clone())
        data = self.write(levels, quality)
        if x.requires_grad and self.past == "dropped":
            return x, len(data)
        seen = samples(self.open(data, quality, *levels.shape[2:])).to(x)
        if not x.requires_grad:
            return seen, len(data)
        stand_in = x
        if self.past == "proxy":
            stand_in = jpeg_proxy.jpeg(x, torch.tensor([self.codec_quality(quality)]))
        return stand_in + (seen - stand_in).detach(), len(data)

    def write(self, levels: Tensor, quality: float) -> bytes:
        """The codec's file of levels (1, 3, h, w), grey where the picture is and the format can."""
        is_grey = bool((levels == levels[:, :1]).all()) and standard.STANDARD[self.codec].has_grey
        array = levels[0, 0] if is_grey else levels[0].movedim(0, -1)
        return standard.encode(self.codec, array.contiguous().cpu().numpy(), self.codec_quality(quality))

    def open(self, data: bytes, quality: float, height: int, width: int) -> Tensor:
        """Levels (1, 3, height, width) of such a file. Raises BitstreamError for what is none."""
        array = standard.decode(self.codec, data, width, height)
        return torch.from_numpy(np.ascontiguousarray(array)).movedim(-1, 0)[None].to(self.device)

    def standard_file(self, sections: Sections) -> tuple[str, bytes]:
        return self.codec, sections[self.codec]

    def freeze(self) -> "CodecInTheLoop":
        return self

    @torch.inference_mode()
    def compress(self, levels: Tensor, setting: float, effort: int = 0) -> Sections:
        if self.is_halved(setting):
            is_grey = bool((levels == levels[:, :1]).all())
            levels = picture.round_to_levels(self.compact(samples(pad(levels, self.stride)), setting))
            if is_grey:
                levels = levels.float().mean(1, keepdim=True).round().to(torch.uint8).expand(-1, 3, -1, -1)
        return {self.codec: self.write(levels, setting)}

    @torch.inference_mode()
    def read(self, sections: Sections, setting: float, height: int, width: int) -> dict[str, Tensor]:
        """What the codec shows here: levels, int64 (3, h, w). Raises SectionError for what does not fit.

        Libraries may show one file in several ways: these integers are not the same on every machine.
        """
        divisor = 2 if self.is_halved(setting) else 1
        with section(self.codec):
            levels = self.open(sections[self.codec], setting, -(-height // divisor), -(-width // divisor))
        return {self.codec: levels[0].long()}

    @torch.inference_mode()
    def decompress(self, sections: Sections, setting: float, height: int, width: int) -> Tensor:
        x = samples(self.read(sections, setting, height, width)[self.codec][None].to(torch.uint8))
        x = enlarged(x) if self.is_halved(setting) else pad(x, self.stride)
        return crop(picture.round_to_levels(self.reconstruct(x, [setting])), height, width)

    def objective(self, settings: "Settings") -> "Objective":
        from codec_lib.training.turns import TurnsObjective

        return TurnsObjective(self, ("compaction", "reconstruction"), settings)


def reduced(x: Tensor) -> Tensor:
    """Half the size, bicubic: (B, C, H, W), sides even, to (B, C, H/2, W/2)."""
    return F.interpolate(x.float(), scale_factor=0.5, mode="bicubic", antialias=True)


def enlarged(x: Tensor) -> Tensor:
    """Twice the size, bicubic."""
    return F.interpolate(x.float(), scale_factor=2.0, mode="bicubic", antialias=True)
