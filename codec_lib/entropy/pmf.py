"""From probabilities to the integer tables that coders read.

A coder that makes file bytes must not depend on floating point: encoder and decoder share
integer frequencies `f` that sum to `2**16`, so that symbol `k` has the probability
`f[k] / 2**16` and costs `16 - log2 f[k]` bits. Two rules make a table safe: no frequency is
zero (such a symbol could not be coded) and the sum is exact (the slots tile `0 .. 2**16 - 1`).

    >>> quantize_pmf([0.5, 0.25, 0.25])
    array([32768, 16384, 16384])
    >>> tables = Tables.from_pmfs([[0.5, 0.25, 0.24]], offsets=[-1])
    >>> tables.cdf
    array([[    0, 32768, 49152, 64881, 65536]], dtype=int32)

The last symbol of every row is the escape: whatever lies outside of the row costs the escape
symbol and then an Exp-Golomb code (`codec_lib.entropy.escape`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from heapq import heapify, heappop, heappush
from math import log1p

import numpy as np

from codec_lib.entropy import escape
from codec_lib.entropy.checks import INT32, Numbers, check_indexes, check_symbols

PRECISION = 16
TOTAL = 1 << PRECISION


def quantize_pmf(p: Numbers, total: int = TOTAL) -> np.ndarray:
    """Round a PMF to the integer frequencies that cost the fewest bits.

    Minimises the expected length `-sum p log2(f / total)` over all integers `f >= 1` with
    `sum f = total`: round, repair the sum where that costs least, then move single counts for
    as long as a move pays. The cost is convex in every `f`, so no better table is left.

    Args:
        p: (n,) weights >= 0, scaled to sum 1 here (a histogram will do).
        total: what the frequencies sum to.
    Returns:
        int64 (n,) frequencies.
    Raises:
        ValueError: empty, longer than `total`, NaN, infinite, negative, or all zero.

    >>> quantize_pmf([1, 0, 0], total=8)
    array([6, 1, 1])
    """
    p = np.asarray(p, dtype=np.float64)
    if p.ndim != 1 or not 1 <= p.size <= total:
        raise ValueError(f"pmf: shape {p.shape}, expected one axis of 1 to {total} symbols")
    bad = ~((p >= 0) & np.isfinite(p))
    if bad.any():
        k = int(bad.argmax())
        raise ValueError(f"pmf: p[{k}] = {p[k]}, expected a finite number >= 0")
    if not 0 < p.sum() < np.inf:
        raise ValueError(f"pmf: sum is {p.sum()}, expected a finite sum > 0")
    shares = p / p.sum()
    f = np.maximum(1, np.rint(shares * total)).astype(np.int64)
    return _repair(shares.tolist(), f.tolist(), total)


def _repair(p: list, f: list, total: int) -> np.ndarray:
    def step(k: int, count: int) -> float:  # bits saved by going from `count` to `count + 1`
        return p[k] * log1p(1 / count)

    def fresh(heap: list, sign: int) -> float:  # drop entries whose frequency has changed since
        while heap and f[heap[0][1]] != heap[0][2]:
            heappop(heap)
        return sign * heap[0][0] if heap else float("inf")

    def change(k: int, by: int) -> None:
        f[k] += by
        heappush(gains, (-step(k, f[k]), k, f[k]))
        if f[k] > 1:
            heappush(costs, (step(k, f[k] - 1), k, f[k]))

    gains = [(-step(k, c), k, c) for k, c in enumerate(f)]
    costs = [(step(k, c - 1), k, c) for k, c in enumerate(f) if c > 1]
    heapify(gains)
    heapify(costs)
    for _ in range(total - sum(f)):
        fresh(gains, -1)
        change(gains[0][1], +1)
    for _ in range(sum(f) - total):
        fresh(costs, +1)
        change(costs[0][1], -1)
    while fresh(gains, -1) > fresh(costs, +1):  # never true for one and the same symbol
        giver, taker = costs[0][1], gains[0][1]
        change(giver, -1)
        change(taker, +1)
    return np.array(f, dtype=np.int64)


def entropy(p: Numbers) -> float:
    """Expected surprise `-sum p log2 p` in bits a symbol, for p of shape (n,) and sum 1.

    >>> entropy([0.5, 0.25, 0.25])
    1.5
    """
    return cross_entropy(p, p)


def cross_entropy(p: Numbers, q: Numbers) -> float:
    """Bits a symbol, `-sum p log2 q`, when p (n,) happens and q (n,) was expected.

    Infinite when something happens that q rules out. Raises ValueError for other shapes.

    >>> cross_entropy([0.5, 0.5], [0.25, 0.75])
    1.207518749639422
    """
    p, q = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    if p.shape != q.shape or p.ndim != 1:
        raise ValueError(f"cross_entropy: shapes {p.shape} and {q.shape}, expected two equal (n,)")
    seen = p > 0
    with np.errstate(divide="ignore"):
        return float(-(p[seen] * np.log2(q[seen])).sum())


@dataclass(frozen=True, eq=False)
class Tables:
    """T frozen cumulative tables, one for each index that a symbol may carry.

    Attributes:
        cdf: int32 (T, L + 1), each row `0 = c[0] < c[1] < ... < c[length] = 2**16`, and
            `2**16` from there to the row's end.
        length: int32 (T,) symbols in the row, counting the escape symbol, which is the last one.
        offset: int32 (T,) value of the row's first symbol.
    Raises:
        ValueError: a row that breaks a rule above; the message names the row and the rule.
    """

    cdf: np.ndarray
    length: np.ndarray
    offset: np.ndarray

    def __post_init__(self):
        for name, ndim in (("cdf", 2), ("length", 1), ("offset", 1)):
            object.__setattr__(self, name, _frozen_int32(name, getattr(self, name), ndim))
        rows, columns = self.cdf.shape
        if rows < 1 or columns < 2:
            raise ValueError(f"tables: cdf has shape {self.cdf.shape}, expected at least (1, 2)")
        for name in ("length", "offset"):
            if getattr(self, name).shape != (rows,):
                raise ValueError(
                    f"tables: {name} has shape {getattr(self, name).shape}, expected ({rows},)"
                )
        _check(
            (self.length < 1) | (self.length >= columns),
            lambda r: f"length is {self.length[r]}, expected 1 to {columns - 1}",
        )
        _check(self.cdf[:, 0] != 0, lambda r: f"cdf starts with {self.cdf[r, 0]}, expected 0")
        beyond = np.arange(columns) >= self.length[:, None]
        _check(
            ((self.cdf != TOTAL) & beyond).any(axis=1),
            lambda r: f"cdf is not {TOTAL} from position length = {self.length[r]} on",
        )
        _check(
            ((np.diff(self.cdf.astype(np.int64), axis=1) <= 0) & ~beyond[:, :-1]).any(axis=1),
            lambda r: "cdf does not increase strictly: a symbol would have frequency 0 or less",
        )
        last = self.offset.astype(np.int64) + self.length - 2
        _check(last > INT32.max, lambda r: f"last value is {last[r]}, expected at most {INT32.max}")

    @cached_property
    def largest(self) -> int:
        """The largest frequency of all rows."""
        return int(np.diff(self.cdf, axis=1).max())

    @classmethod
    def from_pmfs(cls, pmfs: Iterable[Numbers], offsets: Iterable[int]) -> "Tables":
        """Quantise one PMF a row; what a PMF lacks to 1 is the mass of its escape symbol.

        Args:
            pmfs: T sequences of in-range probabilities (each at most 2**16 - 1 long, may be empty).
            offsets: T integers, value of each row's first symbol.
        Raises:
            ValueError: a bad PMF, a sum above 1, different numbers of rows; names the row.
        """
        pmfs, offsets = list(pmfs), list(offsets)
        if not pmfs or len(pmfs) != len(offsets):
            raise ValueError(
                f"tables: {len(pmfs)} pmfs and {len(offsets)} offsets, expected as many, at least 1"
            )
        frequencies = []
        for row, p in enumerate(pmfs):
            p = np.asarray(p, dtype=np.float64)
            if p.ndim == 1 and p.sum() > 1 + 1e-6:
                raise ValueError(f"tables: row {row}: pmf sums to {p.sum()}, expected at most 1")
            try:
                escape_mass = max(0.0, 1 - p.sum())
                frequencies.append(quantize_pmf(np.append(p, escape_mass) if p.ndim == 1 else p))
            except ValueError as error:
                raise ValueError(f"tables: row {row}: {error}") from None
        length = np.array([f.size for f in frequencies])
        cdf = np.full((len(pmfs), length.max() + 1), TOTAL, dtype=np.int32)
        for row, f in enumerate(frequencies):
            cdf[row, 0] = 0
            cdf[row, 1 : f.size + 1] = f.cumsum()
        return cls(cdf, length, np.asarray(offsets))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return three small arrays for saving next to a model's weights.

        `frequency` is uint16, all rows one after the other, each frequency less one: 1 to 2**16
        is then 0 to 65535. `length` and `offset` are the attributes.
        """
        used = np.arange(self.cdf.shape[1] - 1) < self.length[:, None]
        frequency = (np.diff(self.cdf, axis=1)[used] - 1).astype(np.uint16)
        return {"frequency": frequency, "length": self.length, "offset": self.offset}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Tables":
        """Rebuild tables from what `to_arrays` returned, checking every row again."""
        missing = {"frequency", "length", "offset"} - set(arrays)
        if missing:
            raise ValueError(f"tables: no array {sorted(missing)[0]!r}, expected all three")
        length = np.asarray(arrays["length"], dtype=np.int64)
        frequency = np.asarray(arrays["frequency"]).astype(np.int64) + 1
        if length.ndim != 1 or (length < 1).any() or length.sum() != frequency.size:
            raise ValueError(f"tables: {frequency.size} frequencies, expected one for each symbol")
        cdf = np.full((length.size, length.max(initial=1) + 1), TOTAL, dtype=np.int64)
        cdf[:, 0] = 0
        for row, f in enumerate(np.split(frequency, length.cumsum()[:-1])):
            cdf[row, 1 : f.size + 1] = f.cumsum()
        return cls(cdf, length, np.asarray(arrays["offset"]))

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.length)


def _frozen_int32(name: str, value: Numbers, ndim: int) -> np.ndarray:
    value = np.asarray(value)
    if value.dtype.kind not in "iu":
        raise ValueError(f"tables: {name} has dtype {value.dtype}, expected integers")
    if value.ndim != ndim:
        raise ValueError(f"tables: {name} has {value.ndim} axes, expected {ndim}")
    if value.size and not INT32.min <= value.min() <= value.max() <= INT32.max:
        raise ValueError(f"tables: {name} has values outside of int32")
    value = np.array(value, dtype=np.int32, order="C")
    value.setflags(write=False)
    return value


def _check(wrong: np.ndarray, why: Callable[[int], str]) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"tables: row {row}: {why(row)}")


def surprise(symbols: Numbers, indexes: Numbers, tables: Tables) -> np.ndarray:
    """Bits that each symbol costs by its table: `16 - log2 f`, and its escape code if it has one.

    Args:
        symbols: int32 (N,).
        indexes: integers (N,), table row of each symbol.
        tables: the rows.
    Returns:
        float64 (N,) bits.
    Raises:
        TypeError, ValueError: as the coders do.
    """
    indexes = check_indexes(indexes, tables)
    symbols = check_symbols(symbols, indexes)
    k = symbols.astype(np.int64) - tables.offset[indexes]
    last = tables.length[indexes] - 1
    outside = (k < 0) | (k >= last)
    slot = np.where(outside, last, k)
    frequency = tables.cdf[indexes, slot + 1] - tables.cdf[indexes, slot]
    bits = PRECISION - np.log2(frequency)
    for i in np.flatnonzero(outside):
        bits[i] += escape.length(escape.fold(int(k[i]), int(last[i])))
    return bits


def ideal_bits(symbols: Numbers, indexes: Numbers, tables: Tables) -> float:
    """Bits that no coder with these tables can go below: the sum of `surprise`.

    >>> tables = Tables.from_pmfs([[0.5, 0.25]], offsets=[0])
    >>> ideal_bits([0, 0, 1], [0, 0, 0], tables)
    4.0
    >>> ideal_bits([2], [0], tables)      # the escape symbol, 2 bits, and the code "1"
    3.0
    """
    return float(surprise(symbols, indexes, tables).sum())
