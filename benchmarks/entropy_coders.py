"""Time the entropy coders on one latent: `python -m benchmarks.entropy_coders --json FILE`.

All coders get the same 294,912 symbols (the latent of one Kodak picture, 192 x 32 x 48) of 64
discretised Gaussians and tables made from the same probabilities. They take turns, so that whatever
else the machine does hits all of them; what counts is the median of the ratios within a turn.

What a coder's interface wants is part of its time: CompressAI takes and returns Python lists, so the
conversion from and to NumPy belongs to it. The rows "lists ready" leave that conversion out.
Constriction is fastest when the symbols are sorted by table; the sorting is part of its time.
"""

import argparse
import math
import platform
import statistics
from functools import partial
from importlib.metadata import version
from pathlib import Path

import constriction
import numpy as np
from compressai._CXX import pmf_to_quantized_cdf
from compressai.ans import RansDecoder, RansEncoder

from benchmarks import results
from benchmarks.machine import seconds
from codec_lib.devices import name_of
from codec_lib.entropy import bit_counter, range_coder, rans
from codec_lib.entropy.pmf import Tables

COUNT = 192 * 32 * 48
TAIL = 6.11  # standard deviations to each side; beyond lies a mass of 1e-9
ROUNDS = 21
TEACHING = 20_000  # symbols for the coder in plain Python


def gaussian_pmfs() -> tuple[np.ndarray, list[np.ndarray], list[int]]:
    """Return 64 scales from 0.11 to 256, their in-range probabilities and first values."""
    scales = np.geomspace(0.11, 256, 64)
    pmfs, offsets = [], []
    for sigma in scales:
        reach = math.ceil(TAIL * sigma)
        edges = (np.arange(-reach, 1) - 0.5) / sigma
        left = np.array([0.5 * math.erfc(-edge / math.sqrt(2)) for edge in edges])
        half = np.diff(np.append(left, 1 - left[-1]))  # ..., P(-1), P(0)
        pmfs.append(np.concatenate([half, half[-2::-1]]))
        offsets.append(-reach)
    return scales, pmfs, offsets


def latent(scales: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return symbols and indexes with mostly small scales, as a picture's latent has them."""
    random = np.random.default_rng(seed)
    indexes = np.minimum(len(scales) - 1, random.exponential(11, COUNT)).astype(np.uint8)
    return np.rint(random.normal(0, scales[indexes])).astype(np.int32), indexes


class CodecLib:
    """The production coder of this library."""

    def __init__(self, symbols, indexes, pmfs, offsets):
        self.indexes, self.tables = indexes, Tables.from_pmfs(pmfs, offsets)

    def encode(self, symbols):
        return rans.encode(symbols, self.indexes, self.tables)

    def decode(self, data):
        return rans.decode(data, self.indexes, self.tables)


class CompressAI:
    """CompressAI's coder, from arrays to arrays."""

    def __init__(self, symbols, indexes, pmfs, offsets):
        self.indexes, self.offsets = indexes, offsets
        escapes = [max(1 - p.sum(), 1e-9) for p in pmfs]
        cdfs = [pmf_to_quantized_cdf([*p, e], 16) for p, e in zip(pmfs, escapes, strict=True)]
        self.sizes = [len(cdf) for cdf in cdfs]
        self.cdfs = [cdf + [0] * (max(self.sizes) - len(cdf)) for cdf in cdfs]

    def encode(self, symbols):
        return RansEncoder().encode_with_indexes(
            symbols.tolist(), self.indexes.tolist(), self.cdfs, self.sizes, self.offsets
        )

    def decode(self, data):
        symbols = RansDecoder().decode_with_indexes(
            data, self.indexes.tolist(), self.cdfs, self.sizes, self.offsets
        )
        return np.array(symbols, dtype=np.int32)


class CompressAILists(CompressAI):
    """CompressAI's coder when symbols and indexes are lists already and may stay lists."""

    def __init__(self, symbols, indexes, pmfs, offsets):
        super().__init__(symbols, indexes, pmfs, offsets)
        self.symbols, self.indexes = symbols.tolist(), indexes.tolist()

    def encode(self, symbols):
        return RansEncoder().encode_with_indexes(
            self.symbols, self.indexes, self.cdfs, self.sizes, self.offsets
        )

    def decode(self, data):
        return RansDecoder().decode_with_indexes(data, self.indexes, self.cdfs, self.sizes, self.offsets)


class Constriction:
    """Constriction's range coder, one categorical model a table, symbols sorted by table."""

    def __init__(self, symbols, indexes, pmfs, offsets):
        self.indexes, self.offsets = indexes, np.array(offsets, dtype=np.int32)
        model = constriction.stream.model.Categorical
        self.models = [model(p.astype(np.float32), perfect=False) for p in pmfs]

    def order(self):
        counts = np.bincount(self.indexes, minlength=len(self.models))
        return np.argsort(self.indexes, kind="stable"), np.cumsum(counts)[:-1]

    def encode(self, symbols):
        order, ends = self.order()
        encoder = constriction.stream.queue.RangeEncoder()
        positions = (symbols - self.offsets[self.indexes])[order]
        for part, model in zip(np.split(positions, ends), self.models, strict=True):
            encoder.encode(part, model)
        return encoder.get_compressed().tobytes()

    def decode(self, data):
        order, ends = self.order()
        decoder = constriction.stream.queue.RangeDecoder(np.frombuffer(data, dtype=np.uint32))
        counts = np.diff(ends, prepend=0, append=len(order))
        parts = [decoder.decode(m, int(n)) for m, n in zip(self.models, counts, strict=True)]
        symbols = np.empty(len(order), dtype=np.int32)
        symbols[order] = np.concatenate(parts)
        return symbols + self.offsets[self.indexes]


CODERS = {
    "codec_lib.rans": CodecLib,
    "CompressAI": CompressAI,
    "CompressAI, lists ready": CompressAILists,
    "constriction, sorted": Constriction,
}


def compare(symbols, indexes, pmfs, offsets) -> dict:
    """Time all coders in turns; ratios are CompressAI's time over the coder's in the same turn."""
    coders = {name: coder(symbols, indexes, pmfs, offsets) for name, coder in CODERS.items()}
    data = {name: coder.encode(symbols) for name, coder in coders.items()}
    for name, coder in coders.items():
        assert np.array_equal(coder.decode(data[name]), symbols), name
    times = {(name, way): [] for name in coders for way in ("encode", "decode")}
    for _ in range(ROUNDS):
        for name, coder in coders.items():
            times[name, "encode"].append(seconds(partial(coder.encode, symbols)))
            times[name, "decode"].append(seconds(partial(coder.decode, data[name])))
    ideal = bit_counter.encode(symbols, indexes, coders["codec_lib.rans"].tables) / 8
    rows = {}
    for name in coders:
        row = rows[name] = {"bytes": len(data[name]), "over_ideal_bytes": len(data[name]) - ideal}
        for way in ("encode", "decode"):
            own, reference = times[name, way], times["CompressAI", way]
            row[f"{way}_msymbols_per_s"] = COUNT / statistics.median(own) / 1e6
            ratios = [theirs / ours for theirs, ours in zip(reference, own, strict=True)]
            row[f"{way}_times_compressai"] = statistics.median(ratios)
    return {"ideal_bytes": ideal, "bits_per_symbol": 8 * ideal / COUNT, "coders": rows}


def teaching(symbols, indexes, tables: Tables) -> dict:
    """Time the range coder in plain Python on a part of the symbols."""
    symbols, indexes = symbols[:TEACHING], indexes[:TEACHING]
    data = range_coder.encode(symbols, indexes, tables)
    encode = seconds(lambda: range_coder.encode(symbols, indexes, tables))
    decode = seconds(lambda: range_coder.decode(data, indexes, tables))
    return {
        "symbols": TEACHING,
        "over_ideal_bytes": len(data) - bit_counter.encode(symbols, indexes, tables) / 8,
        "encode_msymbols_per_s": TEACHING / encode / 1e6,
        "decode_msymbols_per_s": TEACHING / decode / 1e6,
    }


def overheads(symbols, indexes, tables: Tables) -> list[dict]:
    """Compare the bytes of short and long messages with the ideal."""
    rows = []
    for n in (0, 1, 10, 100, 1000, 10_000, rans.LONG_MESSAGE - 1, rans.LONG_MESSAGE, 100_000, COUNT):
        part = symbols[:n], indexes[:n], tables
        row = {"symbols": n, "ideal_bytes": bit_counter.encode(*part) / 8}
        rows.append(row | {"rans_bytes": len(rans.encode(*part))})
    return rows


def main() -> None:
    """Measure, print a table, write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    path = parser.parse_args().json
    scales, pmfs, offsets = gaussian_pmfs()
    symbols, indexes = latent(scales)
    tables = Tables.from_pmfs(pmfs, offsets)
    result = {
        "command": results.command(),
        "cpu": name_of("cpu"),
        "python": platform.python_version(),
        "versions": {p: version(p) for p in ("numpy", "numba", "compressai", "constriction")},
        "symbols": COUNT,
        "rounds": ROUNDS,
        "note": "one thread, one process, coders take turns",
    }
    result |= compare(symbols, indexes, pmfs, offsets)
    result["coders"]["codec_lib.range_coder"] = teaching(symbols, indexes, tables)
    result["overheads"] = overheads(symbols, indexes, tables)
    for name, row in result["coders"].items():
        print(name, {key: round(value, 2) for key, value in row.items()})
    if path:
        results.write(path, result)


if __name__ == "__main__":
    main()
