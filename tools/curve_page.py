"""What the page of all curves shows: the drawing, and a crop at each setting of the fast codecs.

`render` writes the piece of HTML that book/curves.md includes, and the crops of one photograph; `publish`
puts the crops into the site, where they are loaded one by one, when a point is tapped.
"""

import shutil
from pathlib import Path

from codec_lib import data, viz
from codec_lib.measure.curves import CLASSICAL, Curve, Point, at_point, kodak_curves
from codec_lib.viz.viewers import levels_of
from tools.setup_cell import ROOT

FOLDER = Path("_build") / "curves"
ADDRESS = "../_static/curves"  # of the crops, from the page
SHOWN = ("flagship", "jpeg", "hyperprior", "webp", "avif", "heic", "jpeg2k")
# Every classical codec, and those of the book that need less than a second for the photograph.
FAST = {"flagship", "hyperprior", "factorized", "autoencoder", "checkerboard", "context", "tucodec"}
ROWS, COLUMNS = slice(40, 200), slice(150, 310)  # of the crop


def render(root: Path = ROOT) -> None:
    """Write explorer.html and a crop for each setting below `root`/_build/curves."""
    folder = root / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "crops").mkdir(parents=True)
    photo = data.sample("astronaut")

    def at(curve: Curve, point: Point):
        if curve.group != CLASSICAL and curve.name not in FAST:
            return None
        file, picture = at_point(curve, point, photo)
        return levels_of(picture)[ROWS, COLUMNS], f"The astronaut at this setting: {len(file):,} bytes"

    def keep(name: str, picture: bytes) -> str:
        (folder / "crops" / name).write_bytes(picture)
        return f"{ADDRESS}/{name}"

    markup = viz.explore_curves(kodak_curves(), SHOWN, at, keep).data
    (folder / "explorer.html").write_text(markup, encoding="utf-8")


def publish(site: Path, root: Path = ROOT) -> None:
    """Put the crops into the site."""
    shutil.copytree(root / FOLDER / "crops", site / "_static" / "curves")
