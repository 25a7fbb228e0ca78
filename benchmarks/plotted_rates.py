"""A published figure with the right rates: the JPEG and WebP files that Islam et al. plot.

    python -m benchmarks.plotted_rates --json results/plotted_rates.json

The script that draws the figure of their repository, test/draw_psnr.py, takes the 24 Kodak pictures as
files of JPEG (quality 5, 10, ...) and of WebP (0, 5, ...) and draws the k-th of them at
k times 0.125 bits per pixel, where the k-th iteration of the recurrent codec is. Here are the same files,
made by the encoders of `codec_lib.measure.baselines`: `bpp` is the mean of their lengths, `plotted_bpp`
where the figure has them.
"""

import argparse
import sys
from pathlib import Path

from benchmarks import results
from codec_lib import data
from codec_lib.measure import baselines, evaluate

QUALITIES = {"jpeg": range(5, 101, 5), "webp": range(0, 100, 5)}
ITERATION_BPP = 0.125
KEPT = ("bpp", "psnr", "ms_ssim")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    curves = {}
    for name, qualities in QUALITIES.items():
        measured = evaluate.evaluate(
            data.kodak(),
            lambda image, quality, name=name: baselines.encode(name, image, quality),
            lambda file, name=name: baselines.decode(name, file),
            list(qualities),
            title=name,
        )
        curves[name] = [
            {"quality": mean["quality"], "plotted_bpp": ITERATION_BPP * k}
            | {key: mean[key] for key in KEPT}
            for k, mean in enumerate(measured["means"], 1)
        ]
    report = {
        "command": results.command(),
        "curves": curves,
    }
    results.write(options.json, report)


if __name__ == "__main__":
    sys.exit(main())
