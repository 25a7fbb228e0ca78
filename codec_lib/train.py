"""One training loop for every model; what a step minimizes and how it is validated is in `objective`.

The learning rate falls linearly to zero over the time budget, after a short warm-up. Weight matrices
are trained with Muon, which makes each update orthogonal; everything else (first and last layers, GDN,
gains, densities) with Adam.

Source of Muon: Jordan et al., 2024.
"""

import csv
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from codec_lib import data, weights
from codec_lib.models import architectures
from codec_lib.models.base import Output
from codec_lib.objective import objective_of


@dataclass
class Settings:
    """Everything a run depends on; kept in its checkpoint and in the model card."""

    model: str
    data: list[str]
    out: str
    validation: str | None = None
    minutes: float = 10.0
    steps: int | None = None  # stop after so many, whatever the clock says
    batch: int = 8
    crop: int = 128
    lr: float = 0.005  # of the weight matrices
    lr_other: float = 1e-3
    enlarge: float = 1.0  # the largest factor that crops are scaled by; the smallest is 1/2
    soft: float = 0.0  # the share of crops with colours of half the resolution
    seed: int = 0
    widths: dict[str, int] = field(default_factory=dict)
    start: str | None = None  # a model's name or weights file to begin from, with its widths
    only: list[str] = field(default_factory=list)  # the model's parts that are trained; none means all
    quality: float | None = None  # of lossy models: the only one that is trained; None means all
    distortion: float = 0.001  # lambda of near-lossless models
    precision: str = "bf16-mixed"
    device: str = "auto"
    check_minutes: float = 5.0  # between validations, each of which saves a checkpoint


def train(settings: Settings, build: Callable[..., nn.Module] | None = None) -> Path:
    """Train, or resume where `out`/last.ckpt stopped, until the time budget is used up.

    `build` makes the model from its widths; unless given, it is the class that settings.model names.

    Runs on one device, or on several processes under `torchrun`. Writes into the folder `out`:
    `last.ckpt` (to resume), `log.csv`, and NAME.safetensors with its card whenever validation has
    become better (without a validation folder: at every check).

    Returns:
        The path of the weights.
    Raises:
        ValueError: unknown model or part of it, or no pictures of sufficient size.
    """
    from lightning_fabric import Fabric

    if settings.model not in architectures():
        raise ValueError(f"model: {settings.model!r}; there are {', '.join(architectures())}")
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    fabric = Fabric(
        accelerator="auto" if settings.device == "auto" else settings.device.replace("cuda", "gpu"),
        devices=processes,
        strategy="ddp" if processes > 1 else "auto",
        precision=settings.precision,
    )
    fabric.launch()
    torch.manual_seed(settings.seed)
    plain = (build or architectures()[settings.model])(**settings.widths)
    if settings.start:
        plain.start_from(weights.load(settings.start).model)
    if settings.only:
        parts = dict(plain.named_children())
        if unknown := set(settings.only) - set(parts):
            raise ValueError(f"only: {', '.join(sorted(unknown))}; the parts are {', '.join(parts)}")
        for name, part in parts.items():
            part.requires_grad_(name in settings.only)
    objective = objective_of(plain, settings)
    plain = plain.to(memory_format=torch.channels_last)
    model, optimizer = fabric.setup(plain, make_optimizer(plain, settings))
    base_rates = [group["lr"] for group in optimizer.param_groups]

    run = Run(settings, objective, fabric.is_global_zero)
    resumed = run.resume(fabric, model, optimizer)
    seed = settings.seed + fabric.global_rank + 1000 * resumed
    crops = data.Crops(settings.data, settings.crop, settings.batch, seed, settings.enlarge, settings.soft)
    torch.manual_seed(seed)  # noise and qualities: different on every process, and after a restart

    objective.train()
    bar = tqdm(total=1.0, disable=not fabric.is_global_zero, desc=settings.model, bar_format=BAR)
    for x in crops:
        progress = fabric.broadcast(run.progress()) if processes > 1 else run.progress()
        if progress >= 1:
            break
        for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
            group["lr"] = rate * schedule(progress, run.step)
        x = fabric.to_device(x).contiguous(memory_format=torch.channels_last)
        loss, out = objective.step(model, x)
        fabric.backward(loss)
        fabric.clip_gradients(model, optimizer, max_norm=1.0)
        optimizer.step()
        optimizer.zero_grad()
        run.step += 1
        bar.update(progress - bar.n)
        if run.step % 20 == 0:
            bar.set_postfix_str(run.watch(loss, out, x))
        if fabric.is_global_zero and run.check_is_due():
            run.check(fabric, plain)
            run.save(fabric, model, optimizer)
        fabric.barrier()
    if fabric.is_global_zero:
        run.check(fabric, plain)
    run.save(fabric, model, optimizer)
    bar.close()
    return run.weights_path


BAR = "{l_bar}{bar}| {elapsed} {postfix}"


def schedule(progress: float, step: int) -> float:
    """Factor on the learning rates: 100 steps of warm-up, then linearly down to zero."""
    return min(1.0, (step + 1) / 100) * max(0.0, 1 - progress)


def make_optimizer(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """Muon for convolutions between hidden layers, Adam for all else, in one optimizer."""
    from pytorch_optimizer import Muon

    trained = [p for p in model.parameters() if p.requires_grad]
    hidden = [p for p in trained if p.ndim == 4 and min(p.shape[:2]) > 3]
    known = {id(p) for p in hidden}
    other = [p for p in trained if id(p) not in known]
    return Muon([
        {"params": hidden, "lr": settings.lr, "use_muon": True},
        {"params": other, "lr": settings.lr_other, "betas": (0.9, 0.999), "use_muon": False},
    ])  # fmt: skip


class Run:
    """The book-keeping of one training run: its clock, its log, its best validation cost."""

    def __init__(self, settings: Settings, objective, is_writer: bool):
        self.settings, self.objective, self.is_writer = settings, objective, is_writer
        self.folder = Path(settings.out)
        self.weights_path = self.folder / f"{settings.model}.safetensors"
        self.checkpoint = self.folder / "last.ckpt"
        self.step, self.earlier, self.best = 0, 0.0, math.inf
        self.started = self.checked = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)

    def minutes(self) -> float:
        """Minutes of training, those before an interruption included."""
        return self.earlier + (time.monotonic() - self.started) / 60

    def progress(self) -> float:
        """Share of the budget that is used, from 0 to 1."""
        if self.settings.steps is not None:
            return self.step / self.settings.steps
        return self.minutes() / self.settings.minutes

    @staticmethod
    def hardware(fabric) -> dict[str, str | int]:
        return {"device": str(fabric.device), "threads": torch.get_num_threads()}

    def check_is_due(self) -> bool:
        return time.monotonic() - self.checked >= 60 * self.settings.check_minutes

    def watch(self, loss: Tensor, out: Output, x: Tensor) -> str:
        psnr = -10 * out.mse(x).mean().log10().item()
        return f"step {self.step} loss {loss.item():.3f} bpp {out.bpp().mean():.3f} PSNR {psnr:.2f}"

    def check(self, fabric, model: nn.Module) -> None:
        """Validate, add a line to the log, and keep the weights if they are the best so far."""
        self.checked = time.monotonic()
        row = {"step": self.step, "minutes": round(self.minutes(), 2)}
        cost = -math.inf
        if self.settings.validation:
            cost, points = self.objective.validate(self.settings.validation)
            row |= {"cost": round(cost, 5), **points}
            print(row, flush=True)
        is_new = not (self.folder / "log.csv").exists()
        with open(self.folder / "log.csv", "a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if is_new:
                writer.writeheader()
            writer.writerow(row)
        if cost <= self.best:
            self.best = cost
            card = {
                "settings": asdict(self.settings),
                "training": row | self.hardware(fabric),
                "before": history(self.settings.start),
            }
            weights.save(model, self.settings.model, self.weights_path, card)

    def save(self, fabric, model, optimizer) -> None:
        """Write the checkpoint to resume from: under another name first, so that one is always whole."""
        state = {
            "model": model, "optimizer": optimizer,
            "step": self.step, "minutes": self.minutes(), "best": self.best,
        }  # fmt: skip
        draft = self.checkpoint.with_suffix(".new")
        fabric.save(draft, state)
        if self.is_writer:
            draft.replace(self.checkpoint)

    def resume(self, fabric, model, optimizer) -> int:
        """Load the checkpoint if there is one; returns the step it was written at, else 0."""
        if self.checkpoint.exists():
            state = {"model": model, "optimizer": optimizer}
            rest = fabric.load(self.checkpoint, state)
            self.step, self.earlier, self.best = rest["step"], rest["minutes"], rest["best"]
        return self.step


def history(start: str | None) -> list[dict]:
    """Settings and training of the runs that led to the weights a run starts from, the first one first."""
    path = weights.find(start).with_suffix(".json") if start else None
    if path is None or not path.exists():
        return []
    card = json.loads(path.read_text())
    last = {key: card[key] for key in ("settings", "training") if key in card}
    return [*card.get("before", []), last]
