"""What each choice in the recurrent family is worth: small codecs that differ in it, trained alike.

    python -m benchmarks.recurrent_ablations --steps 800 --json results/recurrent_ablations.json \
        --data ../shared/data/train ../shared/data/train-lossless --out runs/recurrent

Every variant has N = 8 and M = 192, less than the models' defaults, sees the same crops in the same order,
and takes the same number of steps. The figures are means over Kodak-24, without files: PSNR and MS-SSIM
after each iteration, SSIMULACRA2 after the last. The training is short: compare the variants with each
other only. Rows that the file has are not made again.

    base          convolutional GRU, "stepped", no priming, |x - x_hat|, tanh after both first layers
    cells         LSTM, residual GRU                    schemes     additive, one-shot, scaled
    priming       k = 1 and 3; diffusion with k = 1     loss        weighted by SSIM; iteration 8 alone
    bits          drawn in training, not decided
    memory        states that are empty in every iteration, from two seeds, as the base
    gdn           GDN, inverse GDN, both, neither (and no tanh), or both with a diagonal gamma, which bends
                  each channel by itself; from two seeds each
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from benchmarks import machine, results, unnamed
from codec_lib import data, picture
from codec_lib.layers.binarizer import Binarizer
from codec_lib.layers.gdn import GDN
from codec_lib.layers.recurrent import CELLS
from codec_lib.measure import metrics
from codec_lib.models.iterative import SCHEMES, IterativeCodec
from codec_lib.models.recurrent import Recurrent, StepGain
from codec_lib.models.recurrent_gdn import RecurrentGDN
from codec_lib.training.iterations import IterationsObjective
from codec_lib.training.objectives import Objective
from codec_lib.training.settings import Settings

N, M, K = 8, 192, 8
ITERATIONS = 8
SEEDS = (0, 1)


def codec(cell: str = "gru", scheme: str = "stepped", repeats: tuple[int, int] = (0, 0)) -> IterativeCodec:
    """A recurrent codec of the ablations' size."""
    model = Recurrent(N, M, K, SCHEMES.index(scheme), list(CELLS).index(cell))
    model.repeats = repeats
    return model


def drawn() -> IterativeCodec:
    """The base with bits that are drawn in training."""
    model = codec()
    for module in model.modules():
        if isinstance(module, Binarizer):
            module.is_drawn = True
    return model


def forgetful() -> IterativeCodec:
    """The base, of as many parameters, whose cells find empty states in every iteration."""
    model = codec()
    for network in (model.encoder, model.decoder):
        network.register_forward_pre_hook(lambda _, given: (given[0], [None] * len(given[1]), given[2]))
    return model


def normalized(gdn: int, igdn: int) -> IterativeCodec:
    """The codec with GDN, in the base's scheme."""
    model = RecurrentGDN(N, M, K, gdn, igdn)
    model.scheme, model.gain = "stepped", StepGain()
    return model


class DiagonalGDN(GDN):
    """Of one channel at a time: it bends and does not compare."""

    @property
    def gamma(self) -> Tensor:
        full = super().gamma
        return full * torch.eye(len(full), device=full.device)


def bent() -> IterativeCodec:
    """The codec with GDN at both ends, whose channels do not see each other."""
    model = normalized(1, 1)
    model.encoder.activation = DiagonalGDN(N)
    model.decoder.activation = DiagonalGDN(M, inverse=True)
    return model


def structured() -> IterativeCodec:
    """The base with the loss of Johnston et al."""
    model = codec()
    model.error = "structure"
    return model


class OfTheLast(IterationsObjective):
    """The error after iteration 8 and no other: of a file that nobody cuts."""

    def loss(self, model: nn.Module, x: Tensor) -> tuple[Tensor, str]:
        error = self.error(x, model(x, ITERATIONS)[0][-1])
        return error.log(), f"error {error.item():.4f}"


class LastIteration(Recurrent):
    """The base, trained so."""

    def objective(self, settings: Settings) -> Objective:
        return OfTheLast(self, settings)


Build = Callable[[], IterativeCodec]
VARIANTS: dict[str, Build] = {
    "lstm": lambda: codec("lstm"),
    "residual-gru": lambda: codec("residual-gru"),
    "additive": lambda: codec(scheme="additive"),
    "one-shot": lambda: codec(scheme="one-shot"),
    "scaled": lambda: codec(scheme="scaled"),
    "k = 1": lambda: codec(repeats=(1, 0)),
    "k = 3": lambda: codec(repeats=(3, 0)),
    "diffusion": lambda: codec(repeats=(1, 1)),
    "drawn": drawn,
    "ssim": structured,
    "last": lambda: LastIteration(N, M, K, SCHEMES.index("stepped")),
}
TWICE: dict[str, Build] = {  # from every seed
    "base": codec,
    "forgetful": forgetful,
    "neither": lambda: normalized(0, 0),
    "gdn": lambda: normalized(1, 0),
    "igdn": lambda: normalized(0, 1),
    "both": lambda: normalized(1, 1),
    "diagonal": bent,
}
RUNS = [(name, build, seed) for seed in SEEDS for name, build in TWICE.items()]
RUNS += [(name, build, SEEDS[0]) for name, build in VARIANTS.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    report = results.begin(options.json, {"N": N, "M": M, "steps": options.steps, **machine.here()})
    rows = report.setdefault("rows", [])
    done = {(row["variant"], row["seed"]) for row in rows}
    for name, build, seed in RUNS:
        if (name, seed) in done:
            continue
        folder = options.out / f"{name.replace(' ', '')}-{seed}"
        path = train(build, seed, options.steps, options.data, folder)
        rows.append({"variant": name, "seed": seed} | measure(build(), path))
        results.write(options.json, report)
        print(rows[-1], flush=True)


def train(build: Build, seed: int, steps: int, folders: list[str], out: Path) -> Path:
    """The weights of a variant after some steps."""
    settings = Settings(
        "recurrent", folders, str(out),
        steps=steps, seed=seed, batch=4, crop=64, lr=0.0015, check_minutes=20,
    )  # fmt: skip
    return unnamed.train(settings, build)


@torch.no_grad()
def measure(model: IterativeCodec, trained: Path) -> dict[str, Any]:
    """PSNR and MS-SSIM after each iteration, SSIMULACRA2 after the last, means over Kodak; parameters."""
    unnamed.with_parameters(model, trained).eval()
    rows, last = [], []
    for path in tqdm(data.kodak(), leave=False):
        original = picture.load(path)
        x = picture.to_tensor(original)
        decoded = [
            picture.round_to_levels(x_hat)[0].permute(1, 2, 0).numpy() for x_hat in model(x, ITERATIONS)[0]
        ]
        rows.append([(metrics.psnr(original, d), metrics.ms_ssim(original, d)) for d in decoded])
        last.append(metrics.ssimulacra2(original, decoded[-1]))
    psnr, ms_ssim = ([mean(row[t][k] for row in rows) for t in range(ITERATIONS)] for k in (0, 1))
    return {
        "psnr": [round(v, 3) for v in psnr],
        "ms_ssim": [round(v, 5) for v in ms_ssim],
        "ssimulacra2": round(mean(last), 2),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


if __name__ == "__main__":
    sys.exit(main())
