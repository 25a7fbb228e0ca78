"""What the first page shows: pictures at equal bytes, a card for each part of the book, the scoreboard.

`render` writes three pieces of HTML that book/index.md includes. Everything on them is made from the stored
outputs of the chapters, from results/scoreboard.json, and by the encoders themselves: no number is typed.
"""

import base64
import html
import io
import json
from pathlib import Path
from typing import Any

import yaml
from PIL import Image, features

import codec_lib as cl
from codec_lib import data, viz
from codec_lib.measure import baselines, metrics
from tools.setup_cell import ROOT

FOLDER = Path("_build") / "landing"
BYTES = 10_000  # of every file in the viewer
WINDOW = (130, 20, 386, 276)
RIVALS = ("jpeg", "webp", "avif")
COVER = (480, 270)
COVERS = {  # the chapter whose first picture stands for a part
    "Bits": "range-coding",
    "Transforms and priors": "hyperprior",
    "Progressive": "rnn-residual",
    "Bits where they matter": "importance-map",
    "Around codecs and perception": "perception",
    "Lossless and near-lossless": "lossless-residual",
    "The limits": "one-picture",
    "Appendices": None,  # no card
}
STYLE = """
<style>
.parts { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; }
.parts a { display: block; border: 1px solid #8886; border-radius: 6px; overflow: hidden; color: inherit;
  text-decoration: none; }
.parts a:hover, .parts a:focus-visible { border-color: #1a73e8; }
.parts img { display: block; width: 100%; aspect-ratio: 16 / 9; object-fit: cover; background: #fff; }
.parts strong, .parts span { display: block; padding: 0 0.8rem; }
.parts strong { padding-top: 0.6rem; }
.parts span { padding-bottom: 0.7rem; font-size: 0.9em; }
</style>
"""


def render(root: Path = ROOT) -> None:
    """Write viewer.html, parts.html and scoreboard.html below `root`/_build/landing."""
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, markup in {"viewer": viewer(), "parts": parts(root), "scoreboard": scoreboard()}.items():
        (folder / f"{name}.html").write_text(markup, encoding="utf-8")


def viewer() -> str:
    """One photograph in files of equal length, by this book's codec and by the rivals that Pillow has."""
    photo = data.sample("astronaut")
    learned = cl.encode(photo, target_bytes=BYTES)
    shown = {"this book": (cl.decode(learned), len(learned))}
    for name in RIVALS:
        if name != "avif" or features.check("avif"):
            file = baselines.at_size(name, photo, len(learned))
            shown[baselines.BASELINES[name].label] = baselines.decode(name, file), len(file)
    order = [*list(shown)[1:], "this book"]
    frames = [shown[name][0] for name in order]
    say = "{}: {:,} bytes, {:.1f} dB".format
    labels = [say(name, shown[name][1], metrics.psnr(photo, shown[name][0])) for name in order]
    return viz.filmstrip(frames, labels, 440, WINDOW).data


def parts(root: Path = ROOT) -> str:
    """A card for each part of _toc.yml: a picture, its name, its chapters."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    cards = []
    for part in toc["parts"]:
        if "caption" not in part or (chapter := COVERS[part["caption"]]) is None:
            continue
        names = [Path(chapter["file"]).name for chapter in part["chapters"]]
        chapters = [name for name in names if (root / "book" / f"{name}.ipynb").exists()]
        titles = [title(notebook(root, name)) for name in chapters]
        shown = notebook(root, chapter)
        cards.append(
            f'<a href="{names[0]}.html">'
            f'<img alt="A figure of {html.escape(title(shown))}" src="{cover(shown)}">'
            f"<strong>{html.escape(part['caption'])}</strong>"
            f"<span>{html.escape(' · '.join(titles))}</span></a>"
        )
    return f'{STYLE}<div class="parts">{"".join(cards)}</div>'


def scoreboard() -> str:
    """The scoreboard's figure, as lines, with its text in words for who cannot see it."""
    results = data.results("scoreboard")
    figure, buffer = viz.scoreboard("flagship"), io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    markup = buffer.getvalue()
    ranked = sorted(results["codecs"].items(), key=lambda row: -row[1]["psnr"])
    words = ", ".join(f"{name} {row['psnr']:.1f} dB" for name, row in ranked)
    image = base64.b64encode(markup.encode()).decode()
    return (
        f'<img class="scoreboard" style="width: 100%; max-width: 520px; background: #fff" '
        f'src="data:image/svg+xml;base64,{image}" '
        f'alt="All codecs of the book in {results["bytes"]:,} bytes: {html.escape(words)}.">'
    )


def notebook(root: Path, name: str) -> dict[str, Any]:
    """A chapter, parsed."""
    return json.loads((root / "book" / f"{name}.ipynb").read_text(encoding="utf-8"))


def title(chapter: dict[str, Any]) -> str:
    """A chapter's title up to the colon."""
    return "".join(chapter["cells"][0]["source"]).splitlines()[0].removeprefix("# ").partition(":")[0]


def cover(chapter: dict[str, Any]) -> str:
    """The first picture that a chapter's stored outputs show, as a data URI; one of pixels is small."""
    for cell in chapter["cells"]:
        for output in cell.get("outputs", []):
            if drawing := output.get("data", {}).get("image/svg+xml"):
                return "data:image/svg+xml;base64," + base64.b64encode("".join(drawing).encode()).decode()
            if png := output.get("data", {}).get("image/png"):
                image = Image.open(io.BytesIO(base64.b64decode("".join(png)))).convert("RGB")
                image.thumbnail(COVER)
                buffer = io.BytesIO()
                image.save(buffer, "WEBP", quality=80)
                return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
    raise ValueError(f"{title(chapter)}: no picture in its outputs")
