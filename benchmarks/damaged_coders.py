"""The same damage to one message in several entropy coders: who notices?

No checksum is involved, and a coder need not notice: the container's checksum does. What it must not
do is take the process down. Every decoding runs in a process of its own, which can die or hang:

    raised     the decoder reported an error, a Rust panic included
    crashed    the process ended by a signal
    hung       it was not ready after five seconds
    garbage    other symbols than were encoded, and no word about it
    right      the symbols that were encoded, although bytes differ; the damage went unnoticed
"""

import contextlib
import os
import signal
from collections import Counter
from importlib.metadata import version

import numpy as np

from benchmarks.entropy_coders import CodecLib, CompressAI, Constriction, gaussian_pmfs, latent
from codec_lib.entropy import range_coder
from tools.damage import BYTES

SYMBOLS = 2000
CASES = 35 * len(BYTES)
PATIENCE = 5  # seconds
OUTCOMES = ("raised", "garbage", "right")  # a child's exit status


class RangeCoder(CodecLib):
    """The range coder that chapters explain."""

    def encode(self, symbols):
        return range_coder.encode(symbols, self.indexes, self.tables)

    def decode(self, data):
        return range_coder.decode(data, self.indexes, self.tables)


class Words(Constriction):
    """constriction reads 32-bit words: bytes that make no whole word are left out."""

    def decode(self, data):
        return super().decode(data[: len(data) // 4 * 4])


CODERS = {
    "codec_lib.rans": (CodecLib, "codec_lib"),
    "codec_lib.range_coder": (RangeCoder, "codec_lib"),
    "CompressAI": (CompressAI, "compressai"),
    "constriction": (Words, "constriction"),
}


def compare() -> dict[str, dict]:
    """Counts of what `CASES` damaged streams did to each coder."""
    scales, pmfs, offsets = gaussian_pmfs()
    symbols, indexes = (part[:SYMBOLS] for part in latent(scales))
    last = np.array(offsets) + np.array([len(p) for p in pmfs]) - 1
    symbols = np.clip(symbols, np.array(offsets)[indexes], last[indexes]).astype(np.int32)  # no escapes
    rows = {}
    for name, (kind, package) in CODERS.items():
        coder = kind(symbols, indexes, pmfs, offsets)
        rows[name] = {"version": version(package), **damage(coder, symbols)}
    return rows


def damage(coder, symbols: np.ndarray) -> dict:
    """Encode the symbols, damage the bytes in `CASES` ways, and count how decoding ends."""
    data, other = coder.encode(symbols), coder.encode(symbols[::-1] * 0)
    assert np.array_equal(coder.decode(data), symbols)
    counts = Counter()
    for seed in range(CASES):
        damaged = BYTES[seed % len(BYTES)](data, np.random.default_rng(seed), other)
        if damaged != data:
            counts[outcome_in_a_child(coder, damaged, symbols)] += 1
    keys = ("raised", "crashed", "hung", "garbage", "right")
    return {"bytes": len(data), "streams": counts.total(), **{key: counts[key] for key in keys}}


def outcome_in_a_child(coder, damaged: bytes, symbols: np.ndarray) -> str:
    """Decode in a process of its own."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # crashes print to stderr
        signal.alarm(PATIENCE)
        try:
            right = np.array_equal(coder.decode(damaged), symbols)
            os._exit(OUTCOMES.index("right" if right else "garbage"))
        except BaseException:  # also what Rust calls a panic
            os._exit(OUTCOMES.index("raised"))
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "hung" if os.WTERMSIG(status) == signal.SIGALRM else "crashed"
    return OUTCOMES[os.WEXITSTATUS(status)]
