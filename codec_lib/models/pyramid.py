r"""Features of several scales, six bit planes, and a penalty that lets magnitudes be coded cheaply.

    x^0 = x, x^(s+1) = x^s through a learned 4x4 filter, at half the size
    x^s --> f_s --> g_s ---.
    ...                   (+)--> g --*m--> y --> k = round(2^(B-1) y) --> B bit planes --> file
    x^S --> f_S --> g_S ---'     (all g_s end at 1/8 of the size)

Five planes are those of |k|, the highest first, in which nearly all is zero. The last plane holds the
signs; where k = 0 it is already known and costs nothing. They are coded by a `BitsPrior`, from what higher
planes say of the same place and its neighbours.

Adaptive codelength regularization: training adds, for each picture,

    alpha P,  P about the mean of log2 |k| + sum over neighbours of log2 |k - neighbour|

which is large where codes are long, and has the gradient that y needs (`codec_lib.training.codelength`). A
feedback loop raises alpha while codes are longer than their target, and lowers it while they are shorter.

The number of channels was never published; the decoder is `codec_lib.layers.block_transform.synthesis`. The
paper rounds up, which is the same but for half a bin; but a latent of zero then lies on the border of two
bins, and training would have to move all of them into the middle of one.

Source: Rippel and Bourdev, "Real-time adaptive image compression", ICML 2017, without its adversarial
loss.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from codec_lib import picture
from codec_lib.layers.affine import UNIT
from codec_lib.layers.bands import in_bands
from codec_lib.layers.block_transform import BLOCK, ROWS, synthesis
from codec_lib.layers.convolution import start_small, weight_and_bias
from codec_lib.layers.dct import block_transform
from codec_lib.layers.gain import QUALITIES, GainUnit
from codec_lib.layers.windows import windows
from codec_lib.models.base import Model, crop, pad, samples
from codec_lib.models.output import MagnitudeOutput
from codec_lib.priors.base import Sections
from codec_lib.priors.bits import BitsPrior
from codec_lib.quantize import straight_through
from codec_lib.setting import QUALITY

if TYPE_CHECKING:
    from codec_lib.training.objectives import Objective
    from codec_lib.training.settings import Settings

PLANES = 6  # bits of a number k
BINS = 2 ** (PLANES - 1)  # of y in [0, 1]; |k| is smaller
SCALES = 4
FEATURES = 12  # of each scale, beside its three colours
INITIAL_GAIN = 0.04
WINDOW, MARGIN = 64, 4  # places of y that are computed at once, and how many more are seen around them


class Scale(nn.Module):
    """f_s and g_s: x^s (B, 3, H / 2^s, W / 2^s) to (B, C, H/8, W/8). The first begins as a DCT."""

    def __init__(self, s: int, C: int):
        super().__init__()
        ratio = BLOCK >> s
        self.features = nn.Sequential(
            nn.Conv2d(3, FEATURES, 3, padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(FEATURES, FEATURES, 3, padding=1), nn.LeakyReLU(0.2),
        )  # fmt: skip
        self.align = nn.Conv2d((3 + FEATURES) * ratio**2, C, 1)
        self.unshuffle = nn.PixelUnshuffle(ratio)
        weight, bias = weight_and_bias(self.align)
        with torch.no_grad():
            bias.zero_()
            weight.mul_(0.1)
            if s == 0:
                weight[:, : 3 * ratio**2, 0, 0] = block_transform(C)[0]

    def forward(self, x: Tensor) -> Tensor:
        return self.align(self.unshuffle(torch.cat((x, self.features(x)), 1)))


class Pyramid(Model):
    """Rippel and Bourdev 2017 with C channels of y, N in the decoder, K in the prior of bits."""

    setting = QUALITY
    stride = BLOCK

    def __init__(self, N: int = 128, C: int = 64, K: int = 64, scales: int = SCALES):
        super().__init__(N=N, C=C, K=K, scales=scales)
        self.halve = nn.ModuleList(nn.Conv2d(3, 3, 4, 2, 1) for _ in range(scales - 1))
        self.scales = nn.ModuleList(Scale(s, C) for s in range(scales))
        self.together = nn.Sequential(
            nn.LeakyReLU(0.2), nn.Conv2d(C, C, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(C, C, 1)
        )
        self.gain = GainUnit(C, INITIAL_GAIN)
        self.decoder = synthesis(C, N)
        self.prior = BitsPrior(C, PLANES, K, self.frozen, growth=2)
        self.register_buffer("log_alpha", torch.zeros(QUALITIES, 1))
        start_small(self.together[-1])

    def stages(self, setting: float) -> tuple[tuple[str, ...], ...]:
        return (tuple(f"plane {t}" for t in range(1, PLANES + 1)),)

    def forward(self, x: Tensor, quality: Tensor) -> MagnitudeOutput:
        """x is (B, 3, H, W) in [0, 1], its sides divide by 8; quality (B,) in [1, 8]."""
        gain, inverse = self.gain(quality)
        y = self.analyze(x) * gain
        k = self.quantize(y)
        bits = self.prior(planes_of(k.detach()).float()).sum(1)
        return MagnitudeOutput(self.decoder(value(k) * inverse).float(), {"planes": bits}, BINS * y)

    def analyze(self, x: Tensor) -> Tensor:
        """y before its gain, (B, C, H/8, W/8)."""
        x, total = (x - 0.5) * UNIT, None
        for s, scale in enumerate(self.scales):
            features = scale(x)
            total = features if total is None else total + features
            if s < len(self.halve):
                x = self.halve[s](x)
        return (total + self.together(total)).float()

    @staticmethod
    def quantize(y: Tensor) -> Tensor:
        """k = round(BINS y), from 1 - BINS to BINS - 1; within that with the gradient of BINS y."""
        scaled = BINS * y
        return straight_through(scaled).clamp(1 - BINS, BINS - 1)

    @torch.no_grad()
    def start(self, x: Tensor) -> None:
        """Before training: let y be at most 1 in pictures x (B, 3, H, W)."""
        largest = self.analyze(x).abs().amax((0, 2, 3))
        self.gain.log_gain.clamp_(max=-largest.log())
        self.gain.log_inverse.copy_(-self.gain.log_gain)

    def freeze(self) -> "Pyramid":
        self.prior.freeze()
        return self

    @torch.inference_mode()
    def compress(self, levels: Tensor, setting: float, effort: int = 0) -> Sections:
        gain, _ = self.gain(self.quality_tensor(setting))
        x = pad(levels, self.stride)
        h, w = x.shape[-2] // BLOCK, x.shape[-1] // BLOCK
        k = torch.empty(1, self.widths["C"], h, w, device=x.device)
        for part in windows(h, w, WINDOW, MARGIN):
            part.put(k, self.quantize(self.analyze(samples(part.of(x, BLOCK))) * gain))
        (names,) = self.stages(setting)
        return dict(zip(names, self.prior.encode(planes_of(k)[0]), strict=True))

    @torch.inference_mode()
    def read(self, sections: Sections, setting: float, height: int, width: int) -> dict[str, Tensor]:
        """The bits of each plane, -1 or 1, int8 (C, h, w): exact on every machine.

        Raises SectionError for what does not fit.
        """
        counts = torch.full((-(-height // BLOCK), -(-width // BLOCK)), PLANES)
        return dict(zip(sections, self.prior.decode(sections, counts), strict=True))

    @torch.inference_mode()
    def decompress(self, sections: Sections, setting: float, height: int, width: int) -> Tensor:
        _, inverse = self.gain(self.quality_tensor(setting))
        planes = torch.stack(list(self.read(sections, setting, height, width).values()))
        y_hat = value(numbers_of(planes[None])) * inverse
        x_hat = in_bands(
            self.decoder, y_hat, lambda band: picture.round_to_levels(self.decoder(band)), ROWS
        )
        return crop(x_hat, height, width)

    def objective(self, settings: "Settings") -> "Objective":
        from codec_lib.training.codelength import CodelengthObjective

        return CodelengthObjective(self, settings)


def planes_of(k: Tensor) -> Tensor:
    """The bits of magnitudes, the highest first, and where k < 0: -1 or 1, int8 (B, PLANES, C, h, w).

    >>> planes_of(torch.tensor([[[[-3.0, 0.0, 16.0]]]]))[0, :, 0, 0].tolist()
    [[-1, -1, 1], [-1, -1, -1], [-1, -1, -1], [1, -1, -1], [1, -1, -1], [1, -1, -1]]
    """
    shifts = torch.arange(PLANES - 2, -1, -1, device=k.device)[:, None, None, None]
    bits = k.abs().to(torch.int64)[:, None] >> shifts & 1
    return (2 * torch.cat((bits, (k < 0)[:, None]), 1) - 1).to(torch.int8)


def numbers_of(planes: Tensor) -> Tensor:
    """k (B, C, h, w), float32, from its planes."""
    worth = 2.0 ** torch.arange(PLANES - 2, -1, -1, device=planes.device)[:, None, None, None]
    return ((planes[:, :-1] > 0) * worth).sum(1) * torch.where(planes[:, -1] > 0, -1.0, 1.0)


def value(k: Tensor) -> Tensor:
    """What k stands for: the middle of its bin."""
    return k / BINS
