"""What each part of the near-lossless codec is worth: the same short training without it.

    python -m benchmarks.near_lossless_ablations --minutes 6 --json results/near_lossless_ablations.json \
        --data ../shared/data/train-lossless --out runs/ablations

Every variant starts from the released hyperprior and an untrained network for pixels, and is trained on
the same crops; figures are estimated bits per sub-pixel of every third Kodak picture. None of them gets as
far as the released weights: compare them with each other only, and within their group. The first group
leaves the lossy layer as it is; the second, that of lambda, trains it too, which takes longer a step. The
first variant of a group takes as many steps as fit into the given minutes, the others as many as it did.

One variant is a group of its own: it starts from the released weights and trains them for files of one
tau. Compare it with the corrected network, in results/near_lossless_contexts.json.
"""

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks import results, unnamed
from codec_lib import data, picture
from codec_lib.density import logistic_mixture
from codec_lib.density.logistic_mixture import Mixture
from codec_lib.models.near_lossless import NearLossless
from codec_lib.priors.residual import ResidualPrior
from codec_lib.quantize import near_lossless
from codec_lib.training.settings import Settings

PIXELS = [
    "prior.features",
    "prior.surround",
    "prior.context",
    "prior.lossless",
]  # the parts behind the lossy layer
TAU = 2  # that one variant is trained for
EVERY = 3  # one of so many Kodak pictures is measured


class WithoutLossyLayer(NearLossless):
    """x_tilde is a constant, and nothing is known before the first pixel."""

    def lossy_layer(self, x: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        batch, _, height, width = x.shape
        features = x.new_zeros(batch, self.prior.features.in_channels, height // 2, width // 2)
        return torch.full_like(x, 128.0), features, {"y": x.new_zeros(batch), "z": x.new_zeros(batch)}


class WithPrior(NearLossless):
    """Another prior of the residual, with the same parameters."""

    prior_class: type[ResidualPrior]

    def __init__(self, N: int = 64, M: int = 256, C: int = 96):
        super().__init__(N, M, C)
        self.prior = self.prior_class(N, C, self.frozen)


class NoContext(ResidualPrior):
    """Pixels do not see the residuals before them."""

    def mixture(self, u: Tensor, r_hat: Tensor, tau: int = 0, correct: bool = True) -> Mixture:
        return super().mixture(u, torch.zeros_like(r_hat), tau, correct)


class NoColours(ResidualPrior):
    """beta = 0: a colour is not predicted from the ones before it."""

    def mixture(self, *arguments) -> Mixture:
        mixture = super().mixture(*arguments)
        mixture.beta = torch.zeros_like(mixture.beta)
        return mixture


class OneComponent(ResidualPrior):
    """K = 1: all weight on the first component."""

    def mixture(self, *arguments) -> Mixture:
        mixture = super().mixture(*arguments)
        mixture.logits = mixture.logits - 1e4 * (torch.arange(mixture.logits.shape[1]) > 0)[:, None, None]
        return mixture


class Retrained(ResidualPrior):
    """The network for exact residuals, trained for one tau with the residuals that its decoder sees."""

    def forward(self, r: Tensor, x_tilde: Tensor, features: Tensor, tau: int = TAU) -> Tensor:
        r_hat = near_lossless(r.detach().round(), TAU)
        mixture = self.mixture(self.surroundings(x_tilde, features), r_hat, TAU, correct=False)
        return logistic_mixture.bits(r_hat, x_tilde, mixture, TAU, known=r_hat)


def with_prior(prior: type[ResidualPrior]) -> type[NearLossless]:
    """The codec with another prior of the residual."""
    return type(prior.__name__, (WithPrior,), {"prior_class": prior})


@dataclass
class Variant:
    """A model, the parts of it that are trained (none means all), lambda, and where it starts."""

    model: type[NearLossless]
    only: list[str] = field(default_factory=lambda: list(PIXELS))
    distortion: float = 0.001
    start: str = "hyperprior"
    lr: float = 0.02


VARIANTS = {
    "complete": Variant(NearLossless),
    "no lossy layer": Variant(WithoutLossyLayer),
    "no context": Variant(with_prior(NoContext)),
    "beta = 0": Variant(with_prior(NoColours)),
    "K = 1": Variant(with_prior(OneComponent)),
    "lambda = 0.001": Variant(NearLossless, [], 0.001),
    "lambda = 0": Variant(NearLossless, [], 0.0),
    "lambda = 0.03": Variant(NearLossless, [], 0.03),
    f"trained for tau = {TAU}": Variant(with_prior(Retrained), start="near-lossless", lr=0.005),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--data", action="append", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    rows, steps = {}, {}
    for name, variant in VARIANTS.items():
        group = variant.start, *variant.only
        folder = options.out / name.replace(" ", "_")
        settings = Settings(
            "near-lossless", options.data, str(folder), minutes=options.minutes, steps=steps.get(group),
            batch=4, lr=variant.lr, lr_other=0.15 * variant.lr, start=variant.start, only=variant.only,
            distortion=variant.distortion,
        )  # fmt: skip
        path = unnamed.train(settings, variant.model)
        steps[group] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["training"]["step"]
        rows[name] = {"steps": steps[group]} | measure(variant.model, path)
        print(name, rows[name], flush=True)
    report = {"command": results.command(), "minutes": options.minutes, "tau": TAU, "every": EVERY}
    report["variants"] = rows
    results.write(options.json, report)


@torch.no_grad()
def measure(architecture: type[NearLossless], path: Path) -> dict[str, float]:
    """Mean bits per sub-pixel of each stream and of all, and PSNR of x_tilde, over some Kodak pictures."""
    model = unnamed.with_parameters(architecture(), path).eval()
    rows = []
    for path in tqdm(data.kodak()[::EVERY], leave=False):
        x = picture.to_tensor(picture.load(path))
        out = model(x)
        row = {f"bpsp_{name}": bits.item() / x.numel() for name, bits in out.bits.items()}
        rows.append(row | {"bpsp": sum(row.values()), "psnr": out.psnr(x).item()})
    return {key: mean(row[key] for row in rows) for key in rows[0]}


if __name__ == "__main__":
    sys.exit(main())
