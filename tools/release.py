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
from codec_lib.measure.evaluate import FIGURES

DATA = (
    "photographs under free licences: 400 scenes (AVIF, 4:4:4, 41 dB or more) and 400 lossless crops; "
    "validation on 24 others; Kodak never used"
)


def release(run: Path) -> str:
    """Copy a run's weights, name the data in the card; returns the model's name."""
    (path,) = run.glob("*.safetensors")
    trained = weights.load(str(path))
    card = json.loads(path.with_suffix(".json").read_text())
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    card = {
        "model": trained.name,
        "parameters": sum(p.numel() for p in trained.model.parameters()),
        "data": DATA,
        "settings": _settings(card),
        "training": card["training"],
        "before": [
            {"settings": _settings(run), "training": run["training"]} for run in card.get("before", [])
        ],
        "commit": commit,
    }
    weights.save(trained.model, trained.architecture, weights.SHIPPED / f"{trained.name}.safetensors", card)
    return trained.name


def add_results() -> None:
    """Write the means over Kodak into the card of every model, if they are of these very weights."""
    for name, curve in data.results("kodak")["curves"].items():
        path = weights.SHIPPED / f"{name}.json"
        card = json.loads(path.read_text())
        if not card["sha256"].startswith(curve["weights"]):
            raise ValueError(f"results/kodak.json measured other weights of {name}")
        keys = ("quality", *FIGURES[:3])
        card["kodak"] = [{key: round(mean[key], 4) for key in keys} for mean in curve["means"]]
        path.write_text(json.dumps(card, indent=1) + "\n")


def _settings(run: dict) -> dict:
    """A run's settings without what belongs to one machine."""
    settings = {key: value for key, value in run["settings"].items() if key not in ("out", "device")}
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
    if options.run:
        print("released", release(options.run))
    if options.results:
        add_results()
    return 0


if __name__ == "__main__":
    sys.exit(main())
