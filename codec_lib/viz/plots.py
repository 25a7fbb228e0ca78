"""Curves of rate and distortion, and the scoreboard that ends every chapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from codec_lib import data

PLAIN, MARKED, CLASSICAL = "#4a78a8", "#d55e00", "#888888"


def rate_distortion(
    ax: Any,
    curves: Mapping[str, Sequence[tuple[float, float]]],
    metric: str = "PSNR (dB)",
) -> Any:
    """Draw rate-distortion curves into a matplotlib axes and return the axes.

    Args:
        ax: the axes.
        curves: for each name the points (rate in bits per pixel, quality), in any order. Colour,
            marker and dash all differ from curve to curve, so a print in grey stays readable.
        metric: label of the vertical axis.

    Raises:
        ValueError: a curve has no points.
    """
    # Okabe and Ito's colours: distinct with every common colour blindness, and on white.
    colours = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
    markers, dashes = "osD^vPX", ("-", "--", "-.", ":")
    for index, (name, points) in enumerate(curves.items()):
        if not len(points):
            raise ValueError(f"curves: {name!r} has no points")
        rates, qualities = zip(*sorted(points), strict=True)
        ax.plot(
            rates,
            qualities,
            label=name,
            color=colours[index % len(colours)],
            marker=markers[index % len(markers)],
            linestyle=dashes[index % len(dashes)],
            linewidth=2,
            markersize=5,
        )
    ax.set_xlabel("rate (bits per pixel)")
    ax.set_ylabel(metric)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    return ax


def scoreboard(mark: str, own: tuple[float | None, int | None] | None = None) -> Any:
    """Draw every codec of the book on the astronaut, at equal bytes, as a matplotlib figure.

    Dots show PSNR in files of one size; the bytes that a certain PSNR takes stand beside them. Both are
    from results/scoreboard.json. Grey are the classical codecs.

    Args:
        mark: the codec that the chapter is about.
        own: PSNR (dB) at that size and bytes at that PSNR of `mark`, where it is not in the results;
            None for what it cannot do.

    Raises:
        ValueError: a codec that is not in the results, without figures of its own.
    """
    import matplotlib.pyplot as plt

    results = data.results("scoreboard")
    rows = {name: (row["psnr"], row["bytes"]) for name, row in results["codecs"].items()}
    if own is not None:
        rows[mark] = own
    if mark not in rows:
        raise ValueError(f"mark: {mark!r}; there are {', '.join(rows)}")
    names = sorted(rows, key=lambda name: rows[name][0] or 0.0)
    figure, axis = plt.subplots(figsize=(5, 0.24 * len(names) + 0.9), layout="constrained")
    left = min(psnr for psnr, _ in rows.values() if psnr) - 0.5
    for place, name in enumerate(names):
        psnr, size = rows[name]
        colour = MARKED if name == mark else CLASSICAL if name in results["classical"] else PLAIN
        axis.plot([left, psnr or left], [place, place], color=colour, alpha=0.35, linewidth=2)
        if psnr:
            axis.plot(psnr, place, "o", color=colour, markersize=9 if name == mark else 6)
        words = f"{size:,}" if size else "cannot"
        axis.text(1.02, place, words, transform=axis.get_yaxis_transform(), va="center", color=colour)
    axis.set_yticks(range(len(names)), names)
    axis.get_yticklabels()[names.index(mark)].set(color=MARKED, weight="bold")
    axis.set(xlim=(left, None), xlabel=f"PSNR in {results['bytes']:,} bytes (dB)")
    axis.text(1.02, len(names), f"bytes at {results['psnr']:g} dB", transform=axis.get_yaxis_transform())
    axis.grid(axis="x", alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def show_scoreboard(chapter: str, n_bytes: int, shape: Sequence[int], psnr: float | None = None) -> None:
    """Print a chapter's row of the scoreboard: chapter, bytes, bits per pixel, PSNR.

    Args:
        chapter: name of the chapter or the codec.
        n_bytes: length of the real file.
        shape: (H, W) or (H, W, 3) of the picture.
        psnr: dB over the 8-bit RGB picture; None or infinity when nothing was lost.

    >>> show_scoreboard("gdn", 12_000, (512, 512, 3), 30.126)
    chapter           bytes    bpp     PSNR
    gdn               12000  0.366 30.13 dB
    """
    height, width = shape[:2]
    exact = psnr is None or np.isinf(psnr)
    quality = "lossless" if exact else f"{psnr:.2f} dB"
    print(f"{'chapter':<16} {'bytes':>6} {'bpp':>6} {'PSNR':>8}")
    print(f"{chapter:<16} {n_bytes:>6} {8 * n_bytes / (height * width):>6.3f} {quality:>8}")
