"""Does every machine choose the same tables? `python -m benchmarks.determinism --json FILE`.

For every Kodak picture and every shipped model the table index of each symbol is computed again in other
ways: without oneDNN, with two threads, channels-last, in a batch of eight. The integer networks that code
must give the same indexes bit for bit; the float network they were made of is counted beside them. Files of
models with a context, in which every symbol depends on thousands of integers before it, are decoded whole
in each way. The cost of integers is measured as bits: the ideal size of the latents under either network's
indexes.

    python -m benchmarks.determinism --json results/determinism.json

With a GPU at hand it takes part as one more way; without, the file says so.
"""

import argparse
import copy
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks import machine, results
from codec_lib import data, picture, weights
from codec_lib.density import gaussian
from codec_lib.entropy.pmf import ideal_bits
from codec_lib.models.base import pad
from codec_lib.priors.channel import ChannelPrior

QUALITIES = (1.0, 4.0, 8.0)
BATCH = 8
WHOLE = (
    "near-lossless", "flagship", "context", "checkerboard", "recurrent", "primed", "recurrent-gdn",
    "importance-map", "conditional-probability", "pyramid", "tucodec",
    "around-jpeg", "around-webp", "flagship-ms-ssim", "fitted",
)  # fmt: skip


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def ways() -> dict[str, Callable]:
    """Ways to apply a network to one z_hat, each with the same mathematical result."""

    def plain(network, z_hat):
        return network(z_hat)

    def two_threads(network, z_hat):
        with threads(2):
            return network(z_hat)

    def without_onednn(network, z_hat):
        with torch.backends.mkldnn.flags(enabled=False):
            return network(z_hat)

    def channels_last(network, z_hat):
        return network(z_hat.contiguous(memory_format=torch.channels_last))

    def in_a_batch(network, z_hat):
        return network(torch.cat([z_hat, *[z_hat.flip(1)] * (BATCH - 1)]))[:1]

    def on_a_gpu(network, z_hat):
        return network(z_hat.cuda()).cpu()

    cpu = {
        "again": plain,
        "two threads": two_threads,
        "without oneDNN": without_onednn,
        "channels-last": channels_last,
        f"batch of {BATCH}": in_a_batch,
    }
    return cpu | ({"GPU": on_a_gpu} if torch.cuda.is_available() else {})


@torch.inference_mode()
def hyperprior(model, paths: list[Path]) -> dict:
    """Indexes that differ from the plain way's, for the integer and for the float h_s."""
    float_h_s = copy.deepcopy(model.prior.h_s).to(memory_format=torch.contiguous_format)

    def float_indexes(z_hat: Tensor) -> Tensor:
        device = next(float_h_s.parameters()).device
        if z_hat.device != device:
            float_h_s.to(z_hat.device)
        return gaussian.indexes(float_h_s(z_hat))

    networks = {"integer": model.frozen.network("h_s"), "float": float_indexes}
    differing = {kind: {name: 0 for name in ways()} for kind in networks}
    latents = {kind: {name: 0 for name in ways()} for kind in networks}
    bits = dict.fromkeys((*networks, "float, nearest scale"), 0.0)
    table = gaussian.scale_table()
    between = (table[1:] * table[:-1]).sqrt()  # half way on the log axis
    symbols = 0
    for path in tqdm(paths, desc="hyperprior", disable=None):
        x = pad(picture.to_tensor(picture.load(path)), model.stride)
        for quality in QUALITIES:
            gain, _ = model.gain(model.quality_tensor(quality))
            y = model.g_a(x) * gain
            z_hat = model.prior.h_a(y.abs()).round().contiguous()
            y_hat = y.round().int().flatten().numpy()
            symbols += y_hat.size
            for kind, network in networks.items():
                expected = network(z_hat)
                bits[kind] += ideal_bits(y_hat, expected.flatten().numpy(), model.frozen.tables("y"))
                for name, way in ways().items():
                    wrong = int((way(network, z_hat) != expected).sum())
                    differing[kind][name] += wrong
                    latents[kind][name] += wrong > 0
            nearest = torch.bucketize(float_h_s(z_hat).double().contiguous(), between).flatten().numpy()
            bits["float, nearest scale"] += ideal_bits(y_hat, nearest, model.frozen.tables("y"))
    return {
        "symbols": symbols,
        "latents": len(paths) * len(QUALITIES),
        "indexes_that_differ": differing,
        "latents_with_a_difference": latents,
        "bits": bits,
        "cost_of_integers_percent": 100 * (bits["integer"] / bits["float"] - 1),
        "cost_of_nearest_scale_percent": 100 * (bits["float, nearest scale"] / bits["float"] - 1),
    }


def channel_priors(paths: list[Path]) -> dict:
    """The other models' indexes depend on sizes and the quality alone: integers from the start."""
    rows = {}
    for name in weights.available():
        prior = getattr(weights.load(name).model, "prior", None)
        if not isinstance(prior, ChannelPrior):
            continue
        stride = weights.load(name).model.stride
        rows[name] = {"symbols": 0, "indexes_that_differ": 0}
        for path in paths:
            width, height = picture.load(path).size
            for quality in QUALITIES:
                size = -(-height // stride), -(-width // stride)
                expected = prior.indexes(quality, size)
                with threads(2):
                    again = prior.indexes(quality, size)
                rows[name]["symbols"] += expected.numel()
                rows[name]["indexes_that_differ"] += int((again != expected).sum())
    return rows


def whole_files(name: str, paths: list[Path]) -> dict:
    """Integers of whole files that differ, in models where a symbol depends on all symbols before it."""
    trained, integers = weights.load(name), 0
    model = trained.model
    values = model.setting.spread(6)
    differing = dict.fromkeys(("two threads", "without oneDNN", "two threads without oneDNN"), 0)
    for k, path in enumerate(tqdm(paths, desc=name, disable=None)):
        x = picture.to_levels(picture.load(path))
        value = values[k % len(values)]
        arguments = model.compress(x, value, min(model.best_effort, 1)), value, *x.shape[-2:]
        expected = model.read(*arguments)  # the decoder step by step
        for way in differing:
            onednn = torch.backends.mkldnn.flags(enabled="oneDNN" not in way)
            with threads(2 if "threads" in way else 1), onednn:
                again = model.read(*arguments)
            differing[way] += sum(int((again[key] != expected[key]).sum()) for key in expected)
        integers += sum(values.numel() for values in expected.values())
    return {
        "weights": trained.digest,
        "probabilities": trained.probabilities,
        "files": len(paths),
        "integers": integers,
        "integers_that_differ": differing,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--only", choices=WHOLE, action="append", help="measure this again, keep the rest")
    options = parser.parse_args()
    torch.set_num_threads(1)
    paths = data.kodak()
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none: not measured"
    made_with = machine.here() | {"gpu": gpu, "pictures": len(paths), "qualities": QUALITIES}
    report = results.begin(options.json, made_with, keep=bool(options.only))
    if not options.only:
        trained = weights.load("hyperprior")
        digests = {"weights": trained.digest, "probabilities": trained.probabilities}
        report["hyperprior"] = digests | hyperprior(trained.model, paths)
        report["channel_priors"] = channel_priors(paths)
    for name in options.only or WHOLE:
        report[name] = whole_files(name, paths)
        print(name, json.dumps(report[name], indent=1))
    results.write(options.json, report)


if __name__ == "__main__":
    sys.exit(main())
