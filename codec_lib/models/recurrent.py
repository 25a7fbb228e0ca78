r"""The recurrent residual codec: a picture sent again and again, each time what is still missing.

    r_t = x - x_hat_(t-1)  --> E --> B --> b_t      32 bits at each 16 x 16 pixels: 1/8 bit a pixel
    b_t --> D --> x_hat_t                           from b_1 to b_t, by one of three schemes

Both networks remember: their layers are recurrent cells. A file holds the bits of each iteration in a
section of its own, and may be cut behind any of them: every iteration is a stage. How bits are coded,
`BitsPrior` knows. The encoder runs the decoder to find r_t; should another machine's floats differ, it
shows other pixels, but reads the same bits.

                   E                                              D
    conv   3 -> N     1/2                        conv 1x1  32 -> 8N            1/16
    cell   N -> 4N    1/4    hidden 1x1          cell  8N -> 8N, shuffle  1/8    hidden 1x1
    cell  4N -> 8N    1/8    hidden 1x1          cell  2N -> 8N, shuffle  1/4    hidden 1x1
    cell  8N -> 8N    1/16   hidden 1x1          cell  2N -> 4N, shuffle  1/2    hidden 3x3
    B: conv 1x1  8N -> 32                        cell   N -> 2N, shuffle  1      hidden 3x3
                                                 conv 1x1  N/2 -> 3, tanh

The paper has N = 64. Schemes: "additive", x_hat_t = x_hat_(t-1) + D_t; "one-shot", x_hat_t = D_t; "scaled",
additive, with residuals that a network G(x_hat) has enlarged.

Source: Toderici et al., "Full resolution image compression with recurrent neural networks", CVPR 2017.
"""

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec_lib import picture
from codec_lib.layers.binarizer import Binarizer
from codec_lib.layers.recurrent import CELLS, Cell, State
from codec_lib.models.base import Model, crop, pad, samples
from codec_lib.priors.base import Sections
from codec_lib.priors.bits import BitsPrior
from codec_lib.setting import Setting
from codec_lib.training.objectives import Objective, Player, validation_pictures
from codec_lib.training.optimizers import muon

if TYPE_CHECKING:
    from codec_lib.training.settings import Settings

BITS = 32  # at each place of a sixteenth of the size
ITERATIONS = Setting("iterations", coarsest=1, finest=16, default=8, step=1)
SCHEMES = ("additive", "one-shot", "scaled")
STRIDE = 16


class EncoderNetwork(nn.Module):
    """E and B: what is missing (B, 3, H, W) to bits -1 or 1, (B, BITS, H/16, W/16)."""

    def __init__(self, N: int, cell: type[Cell]):
        super().__init__()
        self.first = nn.Conv2d(3, N, 3, 2, 1)
        sizes = (N, 4 * N, 8 * N, 8 * N)
        self.cells = nn.ModuleList(cell(a, b, stride=2) for a, b in pairwise(sizes))
        self.binarizer = Binarizer(8 * N, BITS)

    def forward(self, r: Tensor, states: list[State]) -> Tensor:
        x = torch.tanh(self.first(r))
        for k, cell in enumerate(self.cells):
            x, states[k] = cell(x, states[k])
        return self.binarizer(x)


class DecoderNetwork(nn.Module):
    """D: bits (B, BITS, H/16, W/16) to (B, 3, H, W) in (-1, 1)."""

    def __init__(self, N: int, cell: type[Cell]):
        super().__init__()
        self.first = nn.Conv2d(BITS, 8 * N, 1)
        outputs, kernels = (8 * N, 8 * N, 4 * N, 2 * N), (1, 1, 3, 3)
        inputs = (8 * N, *(n // 4 for n in outputs[:-1]))
        self.cells = nn.ModuleList(
            cell(*sizes, hidden_kernel=kernel)
            for *sizes, kernel in zip(inputs, outputs, kernels, strict=True)
        )
        self.last = nn.Conv2d(outputs[-1] // 4, 3, 1)
        self.last.weight.data.mul_(0.1)  # iterations add up, and begin with small steps

    def forward(self, bits: Tensor, states: list[State]) -> Tensor:
        x = torch.tanh(self.first(bits))
        for k, cell in enumerate(self.cells):
            x, states[k] = cell(x, states[k])
            x = F.pixel_shuffle(x, 2)
        return torch.tanh(self.last(x).float())


class Gain(nn.Module):
    """G: how much to enlarge what is missing of x_hat (B, 3, H, W): one factor above 0 for 8 x 8 pixels."""

    def __init__(self, N: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, N, 3, 2, 1), nn.ELU(), nn.Conv2d(N, N, 3, 2, 1), nn.ELU(),
            nn.Conv2d(N, 1, 3, 2, 1), nn.ELU(),
        )  # fmt: skip

    def forward(self, x_hat: Tensor) -> Tensor:
        factor = self.layers(x_hat - 0.5).float() + 2  # ELU is above -1
        return factor.repeat_interleave(8, -1).repeat_interleave(8, -2)


class Recurrent(Model):
    """Toderici 2017 with cells of 2 N to 8 N channels, and K channels in the prior of bits.

    scheme and cell are places in `SCHEMES` and in `CELLS`.
    """

    setting = ITERATIONS

    def __init__(self, N: int = 16, K: int = 64, scheme: int = 0, cell: int = 0):
        super().__init__(N=N, K=K, scheme=scheme, cell=cell)
        self.scheme, kind = SCHEMES[scheme], list(CELLS.values())[cell]
        self.encoder, self.decoder = EncoderNetwork(N, kind), DecoderNetwork(N, kind)
        self.gain = Gain(N) if self.scheme == "scaled" else None
        self.prior = BitsPrior(BITS, ITERATIONS.last + 1, K, self.frozen)

    def stages(self, setting: float) -> tuple[tuple[str, ...], ...]:
        return tuple((f"bits {t}",) for t in range(1, int(setting) + 1))

    def forward(self, x: Tensor, iterations: int) -> tuple[list[Tensor], Tensor]:
        """x_hat after each iteration, (B, 3, H, W), and all bits (B, t, BITS, H/16, W/16).

        x is in [0, 1], its sides divide by 16. In training bits are drawn, else decided.
        """
        picture_so_far, pictures, bits = Progress(self, x), [], []
        for _ in range(iterations):
            bits.append(self.encoder(picture_so_far.missing(x), picture_so_far.of_encoder))
            pictures.append(picture_so_far.add(bits[-1]))
        return pictures, torch.stack(bits, 1)

    def freeze(self) -> "Recurrent":
        self.prior.freeze()
        return self

    @torch.inference_mode()
    def compress(self, levels: Tensor, setting: float, effort: int = 0) -> Sections:
        _, bits = self(pad(samples(levels), STRIDE), int(setting))
        names = [name for (name,) in self.stages(setting)]
        return dict(zip(names, self.prior.encode(bits[0].to(torch.int8)), strict=True))

    @torch.inference_mode()
    def read(self, sections: Sections, setting: float, height: int, width: int) -> dict[str, Tensor]:
        """The bits of each section that is there, int8 (BITS, h, w): exact on every machine.

        Raises SectionError when one does not fit the declared size.
        """
        bits = self.prior.decode(sections, -(-height // STRIDE), -(-width // STRIDE))
        return dict(zip(sections, bits, strict=True))

    @torch.inference_mode()
    def decompress(self, sections: Sections, setting: float, height: int, width: int) -> Tensor:
        bits = self.read(sections, setting, height, width)
        rows, columns = (-(-side // STRIDE) * STRIDE for side in (height, width))
        progress = Progress(self, torch.empty(1, 3, rows, columns, device=self.device))
        for iteration in bits.values():
            progress.add(iteration[None].to(torch.float32))
        return crop(picture.quantize(progress.x_hat), height, width)

    def objective(self, settings: "Settings") -> Objective:
        return RecurrentObjective(self, settings)


class Progress:
    """A picture in the making: x_hat, and the states of both networks; it begins grey."""

    def __init__(self, model: Recurrent, like: Tensor):
        self.model, self.x_hat = model, torch.full_like(like, 0.5)
        self.of_encoder: list[State] = [None] * len(model.encoder.cells)
        self.of_decoder: list[State] = [None] * len(model.decoder.cells)
        self.factor: Tensor | float = 1.0

    def missing(self, x: Tensor) -> Tensor:
        """What the encoder sees: of one-shot codecs the residual, too, as the paper has it."""
        return 2 * (x - self.x_hat) * self.factor

    def add(self, bits: Tensor) -> Tensor:
        """The next x_hat, from an iteration's bits -1 or 1, (B, BITS, H/16, W/16)."""
        decoded = self.model.decoder(bits, self.of_decoder)
        if self.model.scheme == "one-shot":
            self.x_hat = 0.5 + decoded
        else:
            self.x_hat = self.x_hat + decoded / self.factor
        if self.model.gain is not None:
            self.factor = self.model.gain(self.x_hat)
        return self.x_hat


class RecurrentObjective(Objective):
    """The mean of |x - x_hat| over iterations; where the prior alone is trained, the bits that it takes."""

    def __init__(self, model: Recurrent, settings: "Settings"):
        self.model, self.settings = model, settings
        trained = {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}
        self.is_prior_alone = trained == {"prior"}

    def players(self) -> list[Player]:
        return [Player(self.model, muon(self.model, self.settings), self.loss)]

    def train(self) -> None:
        self.model.train()
        if self.is_prior_alone:
            self.model.encoder.eval()  # bits as they are coded

    def loss(self, model: nn.Module, x: Tensor) -> tuple[Tensor, str]:
        iterations = int(ITERATIONS.default)
        if self.is_prior_alone:
            with torch.no_grad():
                _, bits = model(x, iterations)
            rate = self.model.prior(bits).sum(1).mean() / bits[0].numel()
            return rate, f"bits a bit {rate.item():.3f}"
        pictures, _ = model(x, iterations)
        errors = torch.stack([(x_hat - x).abs().mean() for x_hat in pictures])
        return errors.mean(), f"L1 {errors[0].item():.4f} to {errors[-1].item():.4f}"

    @torch.no_grad()
    def validate(self, folder: str) -> tuple[float, dict[str, float]]:
        """Minus the mean PSNR over iterations, or the coded share of all bits; and some PSNRs."""
        self.model.eval()
        rows, coded = [], []
        for x in validation_pictures(folder, self.model.device):
            pictures, bits = self.model(x, ITERATIONS.last + 1)
            errors = torch.stack([(p.clamp(0, 1) - x).square().mean() for p in pictures])
            rows.append(-10 * errors.log10())
            if self.is_prior_alone:
                coded.append(self.model.prior(bits).sum().item() / bits.numel())
        self.train()
        psnr = torch.stack(rows).mean(0)
        points = {f"psnr_{t}": round(psnr[t - 1].item(), 3) for t in (1, 4, 8, 16)}
        if self.is_prior_alone:
            share = sum(coded) / len(coded)
            return share, points | {"share": round(share, 4)}
        return -psnr.mean().item(), points
