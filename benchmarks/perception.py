"""Distortion against perception: decoders that show the same files, and codecs to compare with, on Kodak.

    python -m benchmarks.perception --json results/perception.json --data ../shared/data/train

`decoders` has, for every decoder of the flagship's files ("mse" is its own), means of bpp, PSNR, MS-SSIM
and SSIMULACRA2 over the 24 pictures at `QUALITIES`. `rivals` has the same of classical codecs, each picture
in the largest file that is no longer than the flagship's. `whole` has it of the flagship and of
`flagship-ms-ssim`, whose files are others, at `WHOLE_QUALITIES`.

`told` has what a new discriminator, one for each decoder, makes of its pictures: trained for `STEPS` steps
on crops of the training pictures, it judges patches of the test pictures, photographs and decoded ones.
`right` is its share of right answers, `loss` its loss: log 2 less that is the least that the Jensen-Shannon
divergence of the two kinds of patches can be, in nats.
"""

import argparse
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

import codec_lib as cl
from benchmarks import machine, results
from codec_lib import data, decoders, picture, weights
from codec_lib.layers.discriminators import PatchDiscriminator
from codec_lib.measure import baselines, evaluate, metrics
from codec_lib.training.crops import Crops

QUALITIES = (1.5, 2.5, 4.0)
PARTS = ("decoders", "told", "rivals", "whole")
STEPS, BATCH, CROP, SEED = 150, 8, 128, 0
WHOLE, WHOLE_QUALITIES = ("flagship", "flagship-ms-ssim"), (1.0, 3.0, 5.0, 7.0)
RIVALS = ("jpeg", "webp", "avif")
POINT = ("bpp", *metrics.FIGURES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--data", nargs="+", required=True, help="folders of training pictures")
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this again, keep the rest")
    options = parser.parse_args()
    names = {"mse": None} | {name: name for name in decoders.paths()}
    made_with = machine.here() | {
        "weights": {name: weights.load(name).digest for name in WHOLE},
        "cards": {name: weights.card_of(path)["sha256"] for name, path in decoders.paths().items()},
        "steps": STEPS,
    }
    report = results.begin(options.json, made_with, keep=bool(options.only))
    parts = {
        "decoders": lambda: {title: shown(decoder) for title, decoder in names.items()},
        "told": lambda: {title: told(decoder, options.data) for title, decoder in names.items()},
        "rivals": lambda: {name: rival(name) for name in RIVALS},
        "whole": lambda: {name: shown(None, name, WHOLE_QUALITIES) for name in WHOLE},
    }
    for part in options.only or PARTS:
        report[part] = parts[part]()
        results.write(options.json, report)


def shown(
    decoder: str | None, name: str = "flagship", qualities: Sequence[float] = QUALITIES
) -> list[dict[str, float]]:
    """A row for each quality, of some weights' files in a decoder's eyes."""
    measured = evaluate.evaluate_model(data.kodak(), name, qualities, decoder=decoder)
    return [{key: row[key] for key in ("quality", *POINT)} for row in measured["means"]]


def rival(name: str) -> list[dict[str, Any]]:
    """The same of a classical codec in as many bytes, picture by picture."""
    rows = []
    for quality in QUALITIES:
        measured = [at_equal_bytes(name, path, quality) for path in tqdm(data.kodak(), desc=name)]
        means = {key: mean(row[key] for row in measured) for key in POINT}
        rows.append({"quality": quality} | means)
    return rows


def at_equal_bytes(name: str, path: Path, quality: float) -> dict[str, float]:
    """One picture in the largest file of a codec that is no longer than the flagship's."""
    original = picture.load(path).convert("RGB")
    file = baselines.at_size(name, original, len(cl.encode(original, "flagship", quality=quality)))
    decoded = baselines.decode(name, file)
    return {
        "bpp": 8 * len(file) / (original.width * original.height),
        "psnr": metrics.psnr(original, decoded),
        "ms_ssim": metrics.ms_ssim(original, decoded),
        "ssimulacra2": metrics.ssimulacra2(original, decoded),
    }


def told(decoder: str | None, folders: list[str]) -> list[dict[str, float]]:
    """For each quality how well a new discriminator tells a decoder's pictures from photographs."""
    trained = weights.load("flagship")
    model: Any = decoders.load(decoder, trained) if decoder else trained.model
    torch.manual_seed(SEED)
    judge = PatchDiscriminator(model.prior.M)
    adam = torch.optim.Adam(judge.parameters(), 1e-3, betas=(0.5, 0.9))
    for x in islice(tqdm(Crops(folders, CROP, BATCH, SEED), desc=f"{decoder}, told"), STEPS):
        quality = torch.tensor(QUALITIES)[torch.randint(len(QUALITIES), (BATCH,))]
        loss, _ = judged(judge, x, *decoded(model, x, quality))
        adam.zero_grad()
        loss.backward()
        adam.step()
    rows = []
    for quality in QUALITIES:
        verdicts = []
        for path in data.kodak():
            x = picture.to_tensor(picture.load(path))
            with torch.no_grad():
                loss, right = judged(judge, x, *decoded(model, x, torch.tensor([quality])))
            verdicts.append((loss.item(), right))
        losses, shares = zip(*verdicts, strict=True)
        rows.append({"quality": quality, "right": mean(shares), "loss": mean(losses)})
    return rows


@torch.no_grad()
def decoded(model: Any, x: Tensor, quality: Tensor) -> tuple[Tensor, Tensor]:
    """What a model makes of x (B, 3, H, W), rounded to 8 bits, and the latents y_hat that it gets."""
    y_hat, _ = model.latents(x, quality)
    return model.synthesize(y_hat, picture.round_to_levels).float() / 255, y_hat


def judged(judge: PatchDiscriminator, x: Tensor, x_hat: Tensor, y_hat: Tensor) -> tuple[Tensor, float]:
    """A discriminator's loss over photographs and decoded pictures, and its share of right answers."""
    real, made = judge(x, y_hat), judge(x_hat, y_hat)
    right = torch.cat((real > 0, made < 0)).float().mean().item()
    return (F.softplus(-real).mean() + F.softplus(made).mean()) / 2, right


if __name__ == "__main__":
    main()
