"""What an encoder gains that tries harder: `python -m benchmarks.effort --json results/effort.json`.

Kodak pictures, real files, qualities 1, 3, 5 and 7. One descent a picture and quality is cut where each
effort would end, but for the last look that an encoder has then: it gains so much at least. Each row has
the file with the picture's own filter, as every effort but 0 writes it, and without. BD-rates are those of
the mean curve against effort 0 without a filter, at equal PSNR. Rows are kept as they come, so that an
interrupted run goes on; seconds are those up to the cut, and of choosing the filter.
"""

import argparse
import sys
import time
from pathlib import Path
from statistics import mean

import torch
from tqdm import tqdm

from benchmarks import machine, results
from codec_lib import codec, container, data, picture, weights
from codec_lib.header import Header
from codec_lib.measure import metrics
from codec_lib.models.base import pad
from codec_lib.models.transform import TransformCodec
from codec_lib.priors.base import Choice, Sections
from codec_lib.refinement import STEPS, Tile, descend

MODELS = ("flagship", "hyperprior", "context", "factorized", "autoencoder")
QUALITIES = (1.0, 3.0, 5.0, 7.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--every", type=int, default=3, help="take every so many pictures")
    parser.add_argument(
        "--efforts", type=int, nargs="+", default=[1, 3, 5, 7], choices=range(1, len(STEPS))
    )
    parser.add_argument("--note", help="kept in the results, for instance what else ran on the machine")
    options = parser.parse_args()
    paths = data.kodak()[:: options.every]
    made_with = machine.here() | {
        "pictures": [path.name for path in paths],
        "steps": {effort: STEPS[effort] for effort in options.efforts},
    }
    report = results.begin(options.json, made_with)
    report["note"] = options.note or report.get("note")
    codecs = report.setdefault("codecs", {})
    for name in MODELS:
        digest = weights.load(name).digest
        old = codecs.get(name, {})
        rows = old["rows"] if old.get("weights") == digest else []
        known = {(row["picture"], row["quality"]) for row in rows}
        for path in tqdm(paths, desc=name):
            for quality in QUALITIES:
                if (path.name, quality) not in known:
                    rows += measured(name, path, quality, options.efforts)
            codecs[name] = {"weights": digest, "rows": rows} | summary(rows)
            results.write(options.json, report)


def measured(name: str, path: Path, quality: float, efforts: list[int]) -> list[dict]:
    """A row for effort 0 and for each of `efforts`."""
    trained = weights.load(name)
    model = trained.model
    assert isinstance(model, TransformCodec)
    image = picture.load(path)
    taken = picture.take(image, exact=False, keep=())
    levels = pad(taken.levels, model.stride)
    with torch.no_grad():
        gain, _ = model.gain(model.quality_tensor(quality))
        y = model.analyze(levels) * gain
        z_hat, chosen = model.prior.choose(y)
    header = Header(
        trained.name, trained.digest, trained.probabilities, *taken.size, taken.mode, "quality", quality
    )  # fmt: skip

    def row(effort: int, found: torch.Tensor | None, seconds: float) -> dict:
        choice = None if found is None else Choice(z_hat, found)
        sections, began = model.prior.encode(y, quality, choice), time.perf_counter()
        filtered = sections | model.filter_of(levels, sections, quality, (taken.size[1], taken.size[0]))
        seconds += time.perf_counter() - began
        known = {"picture": path.name, "quality": quality, "effort": effort, "seconds": seconds}
        return known | {"without": written(sections), "with": written(filtered)}

    def written(sections: Sections) -> dict:
        file = container.write(header, sections)
        return {"bytes": len(file), "psnr": metrics.psnr(image, codec.decode(file))}

    rows = [row(0, None, 0.0)]
    inside = torch.ones(y.shape[2:], dtype=torch.bool)
    tile = Tile(levels / 255, chosen, z_hat, inside)
    ends, began, away = {STEPS[effort]: effort for effort in efforts}, time.perf_counter(), 0.0
    for step, (_, found) in enumerate(descend(model, tile, quality, max(ends)), 1):
        if step in ends:
            paused = time.perf_counter()
            rows.append(row(ends[step], found, paused - began - away))
            away += time.perf_counter() - paused
    return rows


def summary(rows: list[dict]) -> dict:
    """BD-rates in percent, with the filter and without, and mean seconds of each effort."""

    def curve(effort: int, which: str) -> list[tuple[float, float]]:
        chosen = [
            [row[which] for row in rows if (row["effort"], row["quality"]) == (effort, q)]
            for q in QUALITIES
        ]
        return [(mean(r["bytes"] for r in each), mean(r["psnr"] for r in each)) for each in chosen]

    efforts = sorted({row["effort"] for row in rows})
    rates = {
        which: {e: metrics.bd_rate(curve(0, "without"), curve(e, which)) for e in efforts}
        for which in ("without", "with")
    }
    seconds = {e: mean(row["seconds"] for row in rows if row["effort"] == e) for e in efforts}
    return {"bd_rate_psnr": rates, "seconds": seconds}


if __name__ == "__main__":
    sys.exit(main())
