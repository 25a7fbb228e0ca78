"""Time whole codecs and their parts: `python -m benchmarks.speed --json results/speed.json`.

The hyperprior of this library against CompressAI's ScaleHyperprior of the same widths, with the same
weights copied into it, in one process with the same number of threads. For every picture the two take
turns; what counts is the median of the ratios within a turn. Two scopes:

    streams    a float tensor to the bytes of the two streams, and back
    files      for this library also the way from a PIL picture to a complete file with checksums, and back;
               for CompressAI, which has no files, the same as above and the conversion of the picture

The parts are timed one by one on one picture. With a GPU at hand the GPU coder is timed on a batch of 24
latents; without, the file says so.
"""

import argparse
import json
import platform
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from compressai.models import ScaleHyperprior as TheirHyperprior
from PIL import Image
from tqdm import tqdm

import codec_lib as cl
from benchmarks import results
from benchmarks.entropy_coders import COUNT, gaussian_pmfs, latent
from benchmarks.machine import seconds
from codec_lib import data, picture, weights
from codec_lib.devices import name_of
from codec_lib.entropy import rans
from codec_lib.entropy.pmf import Tables
from codec_lib.layers.bands import in_bands
from codec_lib.models.base import OUTER

QUALITY = 4.0
ROUNDS = 7
BATCH = 24
SCOPES = ("encode streams", "decode streams", "encode files", "decode files")


@torch.inference_mode()
def their_model(model) -> TheirHyperprior:
    """CompressAI's model with the weights of ours; the gains of one quality become part of them."""
    theirs = TheirHyperprior(model.widths["N"], model.widths["M"]).eval()

    def copy(target, source) -> None:
        target.weight.copy_(source.weight)
        target.bias.copy_(source.bias)

    ours = {"g_a": model.g_a, "g_s": model.g_s, "h_a": model.prior.h_a, "h_s": model.prior.h_s}
    for name in ours:
        # Their h_s ends with a ReLU, which changes nothing: sigma has a lower bound.
        for target, source in zip(getattr(theirs, name), ours[name], strict=False):
            if hasattr(source, "gamma_root"):
                target.beta.copy_((source.beta + target.beta_reparam.pedestal).sqrt())
                target.gamma.copy_((source.gamma + target.gamma_reparam.pedestal).sqrt())
            elif hasattr(source, "weight"):
                copy(target, source)
    gain, inverse = (values.view(-1, 1, 1, 1) for values in model.gain(model.quality_tensor(QUALITY)))
    theirs.g_a[-1].weight.mul_(gain)
    theirs.g_a[-1].bias.mul_(gain.flatten())
    theirs.g_s[0].weight.mul_(inverse)
    theirs.update(force=True)
    return theirs


def picture_of(x: torch.Tensor) -> Image.Image:
    """The picture that a user of CompressAI makes of its output."""
    return picture.from_tensor(x, "RGB")


def tasks_for(image: Image.Image, ours, theirs) -> dict[tuple[str, str], Callable]:
    """What is timed for one picture, by codec and scope."""
    x, (width, height) = picture.to_tensor(image), image.size
    file, streams = cl.encode(image, "hyperprior", quality=QUALITY, device="cpu"), ours.compress(x, QUALITY)
    coded = theirs.compress(x)
    return {
        ("ours", "encode streams"): lambda: ours.compress(x, QUALITY),
        ("ours", "decode streams"): lambda: ours.reconstruct(streams, QUALITY, height, width),
        ("ours", "encode files"): lambda: cl.encode(image, "hyperprior", quality=QUALITY, device="cpu"),
        ("ours", "decode files"): lambda: cl.decode(file, device="cpu"),
        ("CompressAI", "encode streams"): lambda: theirs.compress(x),
        ("CompressAI", "decode streams"): lambda: theirs.decompress(coded["strings"], coded["shape"]),
        ("CompressAI", "encode files"): lambda: theirs.compress(picture.to_tensor(image)),
        ("CompressAI", "decode files"): lambda: picture_of(
            theirs.decompress(coded["strings"], coded["shape"])["x_hat"]
        ),
    }


@torch.inference_mode()
def whole_codec(paths: list[Path], threads: int) -> dict:
    """Median ratios of CompressAI's time over ours, and the seconds behind them."""
    torch.set_num_threads(threads)
    ours = weights.load("hyperprior", "cpu").model
    theirs = their_model(ours)
    times = {(who, what): [] for who in ("ours", "CompressAI") for what in SCOPES}
    for path in tqdm(paths, desc=f"{threads} threads", disable=None):
        image = picture.load(path)
        tasks = tasks_for(image, ours, theirs)
        for task in tasks.values():
            task()
        for _ in range(ROUNDS):
            for key, task in tasks.items():
                times[key].append(seconds(task))
    rows = {}
    for what in SCOPES:
        mine, reference = times["ours", what], times["CompressAI", what]
        ratios = [b / a for a, b in zip(mine, reference, strict=True)]
        rows[what] = {
            "times_compressai": statistics.median(ratios),
            "seconds": statistics.median(mine),
            "compressai_seconds": statistics.median(reference),
        }
    return rows


@torch.inference_mode()
def parts(path: Path) -> dict[str, float]:
    """Median milliseconds of each step of coding one picture, one thread."""
    torch.set_num_threads(1)
    model = weights.load("hyperprior", "cpu").model
    image = picture.load(path)
    x = picture.to_tensor(image).contiguous(memory_format=torch.channels_last)
    gain, inverse = model.gain(model.quality_tensor(QUALITY))
    y = model.analyze(x) * gain
    z_hat, y_hat = model.prior.h_a(y.abs()).round(), y.round()
    indexes = model.frozen.network("h_s")(z_hat)
    flat = y_hat.flatten().int().numpy(), indexes.flatten().numpy(), model.frozen.tables("y")
    stream = rans.encode(*flat)
    inner = model.g_s[:-OUTER](y_hat * inverse)
    file = cl.encode(image, "hyperprior", quality=QUALITY, device="cpu")
    outer_x = in_bands(model.g_a[:OUTER], x)
    decoded = model.synthesize(y_hat * inverse)
    steps = {
        "encode: picture to tensor": lambda: picture.to_tensor(image),
        "encode: g_a, outer layers": lambda: in_bands(model.g_a[:OUTER], x),
        "encode: g_a, inner layers": lambda: model.g_a[OUTER:](outer_x),
        "encode: h_a": lambda: model.prior.h_a(y.abs()),
        "both: h_s, fixed point": lambda: model.frozen.network("h_s")(z_hat),
        "encode: rANS": lambda: rans.encode(*flat),
        "encode: all": lambda: cl.encode(image, "hyperprior", quality=QUALITY, device="cpu"),
        "decode: rANS": lambda: rans.decode(stream, flat[1], flat[2]),
        "decode: g_s, inner layers": lambda: model.g_s[:-OUTER](y_hat * inverse),
        "decode: g_s, outer layers": lambda: in_bands(model.g_s[-OUTER:], inner),
        "decode: tensor to picture": lambda: picture.from_tensor(decoded, "RGB"),
        "decode: all": lambda: cl.decode(file, device="cpu"),
        "for comparison: h_s in float32": lambda: model.prior.h_s(z_hat),
    }
    return {
        name: 1000 * statistics.median(seconds(step) for _ in range(ROUNDS)) for name, step in steps.items()
    }


def gpu_coder() -> dict | str:
    """Symbols a second of the GPU coder on a batch of 24 latents, indexes and symbols on the device."""
    if not torch.cuda.is_available():
        return "none at hand: not measured"
    from codec_lib.entropy import rans_triton

    scales, pmfs, offsets = gaussian_pmfs()
    tables = Tables.from_pmfs(pmfs, offsets)
    batch = [latent(scales, seed) for seed in range(BATCH)]
    symbols, indexes = (torch.from_numpy(np.stack(part)).cuda() for part in zip(*batch, strict=True))
    streams = rans_triton.encode(symbols, indexes, tables)
    lanes = 1 << (streams[0][0] & 15)
    assert streams[0] == rans.encode(*batch[0], tables, lanes)
    assert torch.equal(rans_triton.decode(streams, indexes, tables), symbols)
    encode = statistics.median(
        seconds(lambda: rans_triton.encode(symbols, indexes, tables)) for _ in range(21)
    )
    decode = statistics.median(
        seconds(lambda: rans_triton.decode(streams, indexes, tables)) for _ in range(21)
    )
    return {
        "device": torch.cuda.get_device_name(),
        "symbols": BATCH * COUNT,
        "lanes": lanes,
        "encode_gsymbols_per_s": BATCH * COUNT / encode / 1e9,
        "decode_gsymbols_per_s": BATCH * COUNT / decode / 1e9,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=8)
    parser.add_argument("--note", help="kept in the results, for instance what else ran on the machine")
    options = parser.parse_args()
    paths = data.kodak()
    report = {
        "command": results.command(),
        "note": options.note,
        "cpu": name_of("cpu"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "weights": weights.load("hyperprior").digest,
        "widths": weights.load("hyperprior").model.widths,
        "quality": QUALITY,
        "pictures": options.pictures,
        "rounds": ROUNDS,
        "threads": {n: whole_codec(paths[: options.pictures], n) for n in (1, 2)},
        "parts_milliseconds": parts(paths[22]),
        "gpu": gpu_coder(),
    }
    results.write(options.json, report)
    print(json.dumps({key: report[key] for key in ("threads", "parts_milliseconds", "gpu")}, indent=1))


if __name__ == "__main__":
    sys.exit(main())
