"""Every curve of rate and quality on Kodak that results/ holds, in one form.

A curve is a codec's name and its points; a point is what the encoder was asked for, and the means over the
24 pictures. Which figures a point has depends on who measured it: published curves come with PSNR alone.

    curves = kodak_curves()
    curves[0].label, curves[0].points[0].figures["bpp"]
    file, picture = at_point(curves[0], curves[0].points[0], photo)     # the same setting, another picture
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from codec_lib import codec, data
from codec_lib.measure import baselines, metrics

KODAK_PIXELS = 768 * 512  # of every picture of the set
CLASSICAL, OWN, PUBLISHED = "Classical", "This book", "Published"


@dataclass(frozen=True)
class Point:
    """One setting of an encoder: its name, its value, and the means over all pictures by name."""

    word: str  # quality, iterations; empty where nobody says
    value: float | None
    figures: Mapping[str, float]

    @property
    def setting(self) -> str:
        """The setting in words."""
        return "" if self.value is None else f"{self.word} {self.value:g}"


@dataclass(frozen=True)
class Curve:
    """A codec and its points, from few bits to many."""

    name: str  # of the codec, as the library calls it; for a published one its title
    label: str
    group: str
    points: tuple[Point, ...]


def kodak_curves() -> list[Curve]:
    """All curves of results/ that are means over the 24 Kodak pictures."""
    return [*_measured(), *_published()]


def at_point(
    curve: Curve, point: Point, image: Image.Image | np.ndarray
) -> tuple[bytes, Image.Image | np.ndarray]:
    """The file of `image` by a curve's codec at one of its settings, and the picture that is in it.

    Raises ValueError for a codec that is neither of this library nor a classical one, ImportError where the
    library of a classical one is missing.
    """
    if point.value is None:
        raise ValueError(f"point: {curve.label} is a published curve, its codec is not here")
    if curve.name in baselines.BASELINES:
        file = baselines.encode(curve.name, image, point.value)
        return file, baselines.decode(curve.name, file)
    setting: dict[str, Any] = {point.word: point.value}
    file = codec.encode(image, curve.name, **setting)
    return file, codec.decode(file)


def _measured() -> Iterator[Curve]:
    for name, curve in data.results("kodak_baselines")["curves"].items():
        yield _curve(name, baselines.BASELINES[name].label, CLASSICAL, curve["means"])
    kodak = data.results("kodak")["curves"]
    for name, curve in kodak.items():
        yield _curve(name, name, OWN, curve["means"])
    context = data.results("context")["means"]
    for name in sorted({row["model"] for row in context} - set(kodak)):
        rows = [row | {"bpp": 8 * row["bytes"] / KODAK_PIXELS} for row in context if row["model"] == name]
        yield _curve(name, name, OWN, rows)
    for name, model in data.results("content_weighted")["models"].items():
        yield _curve(name, name, OWN, model["curves"]["means"])
    for name, curve in data.results("progressive")["curves"].items():
        yield _curve(name, name, OWN, curve["means"], "iterations")


def _published() -> Iterator[Curve]:
    for curve in data.results("published_codecs")["curves"].values():
        rows = [{"bpp": rate, "psnr": psnr} for rate, psnr in curve["points"]]
        yield _curve(curve["title"], curve["title"], PUBLISHED, rows)


def _curve(
    name: str, label: str, group: str, rows: Iterable[Mapping[str, Any]], word: str = "quality"
) -> Curve:
    points = []
    for row in rows:
        figures = {"bytes": row["bpp"] * KODAK_PIXELS / 8}
        figures |= {key: row[key] for key in ("bpp", *metrics.FIGURES) if key in row}
        points.append(Point(word, row.get(word), figures))
    return Curve(name, label, group, tuple(sorted(points, key=lambda point: point.figures["bpp"])))
