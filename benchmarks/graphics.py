"""The codec for one picture on pictures that no camera took, beside PNG, WebP and the flagship.

    python -m benchmarks.graphics --json results/graphics.json --effort 4 --quality 5

Nine pictures of `benchmarks.graphics_pictures`: text, drawings, screenshots. Without loss PNG, WebP and the
near-lossless codec, in bytes; with loss the fitted codec's bytes and PSNR, and the PSNR of WebP, AVIF and
the flagship in at most as many bytes, where they have so small a file. Each picture is written at once,
and what is there is not measured again.
"""

import argparse
import hashlib
import io
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

import codec_lib as cl
from benchmarks import machine, results
from benchmarks.graphics_pictures import pictures
from codec_lib import weights
from codec_lib.measure import baselines, metrics

LOSSLESS = {  # format of Pillow, options
    "png": ("PNG", {"optimize": True}),
    "webp": ("WEBP", {"lossless": True, "quality": 100, "method": 6}),
}
LOSSY = "webp", "avif"
MODELS = "fitted", "flagship", "near-lossless"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the codec for one picture on graphics.")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--effort", type=int, required=True)
    parser.add_argument("--quality", type=float, required=True)
    options = parser.parse_args()
    digests = {name: weights.load(name).digest for name in MODELS}
    report = results.begin(options.json, machine.here())
    rows = [row for row in report.get("rows", []) if row["weights"] == digests]
    for name, image in tqdm(pictures().items(), unit="picture"):
        key = {"picture": name, "pixels": hashlib.sha256(image.tobytes()).hexdigest()[:16]}
        key |= {"quality": options.quality, "effort": options.effort}
        if not any(key.items() <= row.items() for row in rows):
            rows = [row for row in rows if row["picture"] != name]
            rows.append(key | measure(image, options.quality, options.effort) | {"weights": digests})
            report["rows"] = sorted(rows, key=lambda row: row["picture"])
            results.write(options.json, report)


def measure(image: Image.Image, quality: float, effort: int) -> dict:
    """Bytes without loss; with loss bytes and PSNR, and the PSNR of others in at most as many bytes."""
    exact = {}
    for name, (kind, settings) in LOSSLESS.items():
        image.save(buffer := io.BytesIO(), kind, **settings)
        exact[name] = len(buffer.getvalue())
    exact["near-lossless"] = len(cl.encode(image, "near-lossless", tau=0, device="cpu"))
    start = time.process_time()
    file = cl.encode(image, "fitted", quality=quality, effort=effort, device="cpu")
    seconds = time.process_time() - start
    found = {"fitted": metrics.psnr(image, cl.decode(file, device="cpu"))}
    for name in LOSSY:
        data = baselines.at_size(name, image, len(file))
        if len(data) <= len(file):
            found[name] = metrics.psnr(image, baselines.decode(name, data))
    coarsest = weights.load("flagship").model.setting.coarsest
    if len(cl.encode(image, "flagship", quality=coarsest, device="cpu")) <= len(file):
        data = cl.encode(image, "flagship", target_bytes=len(file), device="cpu")
        found["flagship"] = metrics.psnr(image, cl.decode(data, device="cpu"))
    return {
        "bytes_without_loss": exact,
        "bytes": len(file),
        "psnr": {name: round(float(np.mean(psnr)), 3) for name, psnr in found.items()},
        "processor_seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
