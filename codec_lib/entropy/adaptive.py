r"""Residuals under distributions that learn from the picture, bit by bit.

What a network says about a sample, a mixture of logistics (`mixture_density`), it has learned from other
pictures. While a picture is coded, both sides learn how this one differs. The parts:

    neighbourhood      what the samples around say
    least_squares      a regression that corrects the mixture's mean by that
    experts            four distributions: the mixture, the same corrected, two of the local scale
    questions          a symbol as answers to "is it t or more?"
    logistic_mixing    one probability for each answer, from what the four experts say of it

An expert with the cumulative function F gives the answer "yes" to "is it t or more?" a probability. Symbol
q stands for s q levels, s = 2 tau + 1; beyond the first and the last possible symbol F counts as 0 and 1:

    P(t or more) = (F(s high + s/2) - F(s t - s/2)) / (F(s high + s/2) - F(s low - s/2)),    low < t <= high

Encoder and decoder run the same loop, so that both learn the same. The stream is that of `rans_entries`,
with an entry for each answer.

Sources: Mahoney, "Data compression explained", 2013 (answers coded with mixed opinions); Meyer and Tischer,
"TMW - a new method for lossless image compression", Picture Coding Symposium 1997 (distributions of local
predictors, blended).
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

from typing import NamedTuple

import numpy as np
from numba import int64, uint64

from codec_lib.entropy import rans_entries
from codec_lib.entropy.compiled import compiled, inline
from codec_lib.entropy.experts import (
    EXPERTS,
    Experts,
    cumulative_of_each,
    moments,
    sigma_of,
)
from codec_lib.entropy.least_squares import FEATURES, WEIGHT_BITS, Regression, learn, predict
from codec_lib.entropy.logistic_mixing import BITS, CONSTANT, mix, stretch, stretch_table, update
from codec_lib.entropy.mixture import EMPTY
from codec_lib.entropy.mixture_density import (
    LOGISTIC_PRECISION,
    Alphabet,
    K,
    MixtureTables,
    components,
    limits,
)
from codec_lib.entropy.neighbourhood import (
    MARGIN,
    Neighbourhood,
    enter,
    local_scale,
    look,
    scaled,
    unscaled,
)
from codec_lib.entropy.questions import ANSWERS, HALVINGS, QUESTIONS, ask, halving_odds
from codec_lib.entropy.rans_loops import PADDING, entry_of, pop
from codec_lib.entropy.units import LEVEL_BITS

# Both sides have to agree on these; `benchmarks/adaptive.py` measures what strips are worth.
STRIP = 24  # columns that learn together
ROUGHNESS = 14  # classes of the local scale
SMOOTH = 50  # is added to it before, in 1/256 level
FURTHEST = 64 << LEVEL_BITS  # of a correction


class Known(NamedTuple):
    """What both sides know of a picture, and what its samples have taught them so far.

    Weights of opinions, int64 (3, situations, QUESTIONS, EXPERTS + 1), are learned in two situations: in
    each strip, and in each class of the local scale.
    """

    width: int
    alphabet: Alphabet
    tables: MixtureTables
    odds: np.ndarray
    halving: np.ndarray
    around: Neighbourhood
    regression: Regression
    by_strip: np.ndarray
    by_roughness: np.ndarray

    @classmethod
    def start(cls, x_tilde: np.ndarray, alphabet: Alphabet, tables: MixtureTables) -> "Known":
        """Nothing learned: no corrections, all experts count the same, and the constant nothing."""
        width, odds = x_tilde.shape[2], stretch_table(tables.logistic)
        strips = -(-width // STRIP)
        shapes = [(3, situations, QUESTIONS, EXPERTS + 1) for situations in (strips, ROUGHNESS)]
        equal = [np.full(shape, (1 << 16) // EXPERTS, dtype=np.int64) for shape in shapes]
        for weights in equal:
            weights[..., EXPERTS] = 0
        around, regression = Neighbourhood.around(x_tilde), Regression.start(strips, 3)
        return cls(width, alphabet, tables, odds, halving_odds(odds), around, regression, *equal)


class Adaptive:
    """Codes the pixels of a picture and learns from each; arguments and verbs are those of `Fixed`."""

    def __init__(self, x_tilde: np.ndarray, alphabet: Alphabet, tables: MixtureTables, data: bytes = EMPTY):
        self.known = Known.start(x_tilde, alphabet, tables)
        self.stream = rans_entries.Decoder(data)

    def entries(self, values: np.ndarray, places: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """The answers that code some pixels: start + 2^16 (frequency - 1) each, uint32."""
        out = np.empty(values.size * ANSWERS, dtype=np.uint32)
        return out[: _find_entries(values, places, outputs, self.known, out)].copy()

    def read(self, values: np.ndarray, places: np.ndarray, outputs: np.ndarray) -> None:
        """Fill `values`, int32 (P, C), with the next P pixels' residuals; BitstreamError at the end."""
        self.stream.run(_pop_pixels, values, places, outputs, self.known)

    def finish(self) -> int:
        """How many bytes the message took; BitstreamError unless it ends here."""
        return self.stream.finish()


@compiled
def _find_entries(values, places, outputs, known, entries):
    nothing = np.zeros(PADDING, np.uint16)
    return _code(values, places, outputs, known, entries, False, uint64(0), nothing, 0)[2]


@compiled
def _pop_pixels(values, places, outputs, known, x, words, position):
    nothing = np.empty(0, np.uint32)
    x, position, _ = _code(values, places, outputs, known, nothing, True, x, words, position)
    return x, position


@compiled
def _code(values, places, outputs, known, entries, decoding, x, words, position):
    """Code pixels in either direction: `values` to `entries`, or bits of the stream to `values`.

    One loop on purpose: what is passed between loops as a tuple of arrays is counted each time, which made
    this 5 to 20 % slower.
    """
    around, regression, tables = known.around, known.regression, known.tables
    mean, rate, weight = np.empty(K, np.int64), np.empty(K, np.int64), np.empty(K, np.int64)
    cumulative = np.empty((3, EXPERTS), np.int64)  # of each expert: at the ends of what is possible, at t
    under, upto, here = cumulative[0], cumulative[1], cumulative[2]
    opinions, features, missed = np.empty(EXPERTS + 1, np.int64), np.empty(FEATURES), np.empty(3, np.int64)
    opinions[EXPERTS] = CONSTANT
    colours, size, count = values.shape[1], int64(2 * known.alphabet.tau + 1), 0
    position, data_end = uint64(position), uint64(words.size - PADDING)
    for p in range(values.shape[0]):
        i, j = places[p] // known.width + MARGIN, places[p] % known.width + MARGIN
        strip = (j - MARGIN) // STRIP
        for c in range(colours):
            # What is expected: the network's mixture, and what the samples around correct of it.
            first, second = int64(values[p, 0]), int64(values[p, min(1, colours - 1)])
            total = components(outputs[p], c, first, second, tables, mean, rate, weight)
            expected, spread = moments(mean, rate, weight, total)
            below, scale = int64(around.below[c, i, j]), local_scale(around, c, i, j)
            value = expected + (below << int64(LEVEL_BITS))
            seen = features[: look(features, c, colours, i, j, value, missed, scale, around)]
            moved = unscaled(predict(seen, regression, strip, c), scale, WEIGHT_BITS)
            moved = min(max(moved, -FURTHEST), FURTHEST)
            centre, sigma = expected + moved, sigma_of(scale)
            experts = Experts(mean, rate, weight, total, moved, centre, (1 << (16 + LEVEL_BITS)) // sigma)

            # Which symbol it is, question by question: mix what experts say, code the answer, learn of it.
            spread, q = (spread + sigma) >> int64(1), int64(values[p, c]) // size
            by_strip, by_roughness = known.by_strip[c, strip], known.by_roughness[c, _roughness(scale)]
            low, high = possible = limits(below, known.alphabet, c)
            under[:], upto[:] = 0, 1 << LOGISTIC_PRECISION
            node, tail = int64(1), 2 * spread // (size << int64(LEVEL_BITS)) + 1
            while low < high:
                given = (centre, spread, size, tail, known.halving)
                t, question, node, tail = ask(node, (low, high), possible, *given)
                cumulative_of_each(
                    (2 * t - 1) * size << int64(LEVEL_BITS - 1), experts, tables.logistic, here
                )
                for k in range(EXPERTS):
                    opinions[k] = stretch(upto[k] - here[k], upto[k] - under[k], known.odds)
                one = mix(opinions, by_strip[question], by_roughness[question], tables.logistic)
                zero = (1 << BITS) - one
                is_more = int64(x & uint64(0xFFFF)) >= zero if decoding else q >= t
                entry = entry_of(zero, int64(1 << BITS)) if is_more else entry_of(int64(0), zero)
                if decoding:
                    if position > data_end:
                        return x, position, count
                    x, position = pop(x, words, position, uint64(entry))
                else:
                    entries[count], count = entry, count + 1
                update(opinions, by_strip[question], by_roughness[question], one, is_more)
                node = min(2 * node + is_more, HALVINGS)
                if is_more:
                    low, under[:] = t, here
                else:
                    high, upto[:] = t - 1, here

            # What it turned out to be, for those that come after it.
            if decoding:
                values[p, c] = low * size
            missed[c] = (low * size << int64(LEVEL_BITS)) - expected
            learn(seen, scaled(missed[c], scale), regression, strip, c)
            level = min(max(below + low * size, 0), 255)
            enter(around, c, i, j, level, missed[c], missed[c] - moved)
    return x, position, count


@inline
def _roughness(scale):
    """Class of a local scale, in 1/256 level: two for each doubling."""
    square, number = (scale + SMOOTH) * (scale + SMOOTH), 0
    while square > 1 << (LEVEL_BITS + 4) and number < ROUGHNESS - 1:
        square, number = square >> int64(1), number + 1
    return number
