"""The book-keeping of a training run: its clock, its log, its checkpoint, its best weights so far."""

import csv
import io
import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from codec_lib import data, files, weights
from codec_lib.devices import name_of
from codec_lib.models.base import Model
from codec_lib.training.objectives import Objective, validation_pictures
from codec_lib.training.processes import together
from codec_lib.training.settings import Settings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# What may differ when a run goes on.
FREE = {"data", "out", "validation", "minutes", "steps", "seed", "start", "device", "check_minutes"}


class Logbook:
    """Of one run into the folder settings.out."""

    def __init__(self, settings: Settings, objective: Objective):
        self.settings, self.objective = settings, objective
        self.folder = Path(settings.out)
        self.weights_path = self.folder / f"{settings.model}.safetensors"
        self.checkpoint = self.folder / "last.ckpt"
        self.step, self.earlier, self.best = 0, 0.0, math.inf
        self.started = self.checked = time.monotonic()
        for folder in settings.data:
            data.pictures_in(folder)  # raises now, before anything is written
        if settings.validation:  # the same, of pictures that no validation could take
            deque(validation_pictures(settings.validation, least=objective.least_side), maxlen=0)
        self.before = history(settings.start)
        self.folder.mkdir(parents=True, exist_ok=True)

    def minutes(self) -> float:
        """Minutes of training, those before an interruption included."""
        return self.earlier + (time.monotonic() - self.started) / 60

    def progress(self) -> float:
        """Share of the budget that is used, from 0 to 1."""
        if self.settings.steps is not None:
            return self.step / self.settings.steps
        return self.minutes() / self.settings.minutes

    def check_is_due(self) -> bool:
        """Whether the last validation is as long ago as the settings say."""
        return time.monotonic() - self.checked >= 60 * self.settings.check_minutes

    def check(self, fabric: "Fabric", model: Model) -> None:
        """Validate, add a line to the log, and keep the weights if they are the best so far."""
        self.checked = time.monotonic()
        row: dict[str, float] = {"step": self.step, "minutes": round(self.minutes(), 2)}
        cost = -math.inf
        if self.settings.validation:
            cost, points = self.objective.validate(self.settings.validation)
            row |= {"cost": round(cost, 5), **points}
            print(row, flush=True)
        self._log(row)
        if cost <= self.best:
            self.best = cost
            device = str(fabric.device)
            hardware = {"device": device, "processor": name_of(device), "threads": torch.get_num_threads()}
            card = {
                "settings": asdict(self.settings),
                "training": row | hardware,
                "before": self.before,
            }
            weights.save(model, self.settings.model, self.weights_path, card)

    def _log(self, row: dict[str, float]) -> None:
        """Add a line to log.csv; a name that is new becomes a column, empty in the lines before."""
        log, rows = self.folder / "log.csv", []
        if log.exists():
            rows = list(csv.DictReader(log.read_text(encoding="utf-8").splitlines()))
        rows.append(row)
        text = io.StringIO()
        writer = csv.DictWriter(text, dict.fromkeys(name for line in rows for name in line))
        writer.writeheader()
        writer.writerows(rows)
        files.write(log, text.getvalue().encode())

    def save(self, fabric: "Fabric", players: list[tuple]) -> None:
        """Write the checkpoint to resume from: under another name first, so that one is always whole.

        All processes call it: they wait for one another.
        """
        self.checked = time.monotonic()
        state = _state(players) | {"step": self.step, "minutes": self.minutes(), "best": self.best}
        state["settings"] = asdict(self.settings)
        draft = self.checkpoint.with_suffix(".new")
        fabric.save(draft, state)
        if fabric.is_global_zero:
            draft.replace(self.checkpoint)

    def resume(self, fabric: "Fabric", players: list[tuple]) -> int:
        """Load the newest checkpoint of all machines; returns the step it was written at, 0 without one.

        Where `validation` has changed, the best cost is forgotten: costs of two folders are not alike.
        Raises ValueError where another kind of training was under way there.
        """
        own = self.checkpoint.read_bytes() if self.checkpoint.exists() else b""
        step = self._read(own)["step"] if own else 0
        steps = together(torch.tensor([step], device=fabric.device))
        if steps.max() > 0:
            newest = fabric.broadcast(own, src=int(steps.argmax()))
            if newest != own:
                files.write(self.checkpoint, newest)
            before, validation = self._read(newest)["settings"], self.settings.validation
            self._refuse_others(before)
            with self._reading():
                rest = fabric.load(self.checkpoint, _state(players))
                self.step, self.earlier = rest["step"], rest["minutes"]
                if before.get("validation", validation) == validation:
                    self.best = rest["best"]
        return self.step

    def _read(self, checkpoint: bytes) -> dict[str, Any]:
        with self._reading():
            state = torch.load(io.BytesIO(checkpoint), weights_only=True)
            return {"step": int(state["step"]), "settings": dict(state.get("settings", {}))}

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Whatever reading the checkpoint raises, and that is much, is a ValueError that names it."""
        try:
            yield
        except MemoryError:
            raise
        except Exception:
            raise ValueError(f"out: {self.checkpoint} is no checkpoint of such a run") from None

    def _refuse_others(self, before: dict[str, Any]) -> None:
        for name, value in asdict(self.settings).items():
            if name not in FREE and before.get(name, value) != value:
                raise ValueError(
                    f"{name}: {value}; the run in {self.folder} has {before[name]}, name another folder"
                )


def _state(players: list[tuple]) -> dict[str, Any]:
    """Modules and optimizers of all players, by names for a checkpoint."""
    modules = {f"module.{k}": module for k, (module, _) in enumerate(players)}
    return modules | {f"optimizer.{k}": optimizer for k, (_, optimizer) in enumerate(players)}


def history(start: str | None) -> list[dict]:
    """Settings and training of the runs that led to the weights a run starts from, the first one first.

    Raises BitstreamError for a card that cannot be read or is no card.
    """
    card = weights.card_of(weights.find(start)) if start else {}
    if not card:
        return []
    last = {key: card[key] for key in ("settings", "training") if key in card}
    return [*card.get("before", []), last]
