"""Put the weights of a training run into the library, with a model card that stands on its own.

    python -m tools.release RUN              the best weights of the run's folder -> codec_lib/trained
    python -m tools.release --results        write what results/kodak.json measured into the cards

The card names data by folder, not by path, the commit the weights were released at, and the points on
Kodak.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from codec_lib import data, weights

PHOTOGRAPHS = {  # under free licences, by folder
    "train": "400 scenes (AVIF, 4:4:4, 41 dB or more)",
    "train-lossless": "400 lossless crops",
}
POINT = ("quality", "bpp", "psnr", "ms_ssim")  # of a card


def release(folder: Path) -> str:
    """Copy a run's weights, say in the card what the run saw; returns the model's name.

    Raises ValueError for a folder without weights, or with several.
    """
    paths = list(folder.glob("*.safetensors"))
    if len(paths) != 1:
        raise ValueError(f"run: {folder} has {len(paths)} files of weights, expected 1")
    (path,) = paths
    trained = weights.load(str(path))
    card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    *before, last = (
        {"settings": _settings(run["settings"]), "training": run["training"]}
        for run in [*card.get("before", []), card]
    )
    card = {
        "model": trained.name,
        "parameters": sum(p.numel() for p in trained.model.parameters()),
        "data": seen([run["settings"] for run in (*before, last)]),
        **last,
        "before": before,
        "commit": commit,
    }
    weights.save(trained.model, trained.architecture, weights.SHIPPED / f"{trained.name}.safetensors", card)
    return trained.name


def seen(runs: list[dict]) -> str:
    """What pictures the runs with some settings saw; ValueError for folders that `PHOTOGRAPHS` has not."""
    folders = {folder for run in runs for folder in run["data"]}
    if unknown := folders - set(PHOTOGRAPHS):
        raise ValueError(f"data: {', '.join(sorted(unknown))}; known are {', '.join(PHOTOGRAPHS)}")
    named = " and ".join(text for folder, text in PHOTOGRAPHS.items() if folder in folders)
    return f"photographs under free licences: {named}; validation on 24 others; Kodak never used"


def add_results() -> None:
    """Write the means over Kodak into the card of every model, if they are of these very weights."""
    for name, curve in data.results("kodak")["curves"].items():
        path = weights.SHIPPED / f"{name}.json"
        card = json.loads(path.read_text(encoding="utf-8"))
        if not card["sha256"].startswith(curve["weights"]):
            raise ValueError(f"results/kodak.json measured other weights of {name}")
        card["kodak"] = [{key: round(mean[key], 4) for key in POINT} for mean in curve["means"]]
        path.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def _settings(given: dict) -> dict:
    """A run's settings without what belongs to one machine."""
    settings = {key: value for key, value in given.items() if key not in ("out", "device")}
    return settings | {key: _names(settings.get(key)) for key in ("data", "validation", "start")}


def _names(folders):
    if isinstance(folders, list):
        return [Path(folder).name for folder in folders]
    return Path(folders).name if folders else folders


def main() -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", nargs="?", type=Path, help="folder that `codec-lib train --out` wrote")
    parser.add_argument("--results", action="store_true", help="add Kodak's points to the cards")
    options = parser.parse_args()
    if not (options.run or options.results):
        parser.error("nothing to do; RUN or --results is needed")
    try:
        if options.run:
            print("released", release(options.run))
        if options.results:
            add_results()
    except ValueError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
