"""One training loop for every model; what a step minimizes and how it is validated is its objective's.

The learning rate falls linearly to zero over the time budget, after a short warm-up.
"""

from collections.abc import Callable
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn
from tqdm.auto import tqdm

from codec_lib import weights
from codec_lib.models import architecture
from codec_lib.models.base import Model
from codec_lib.training import processes
from codec_lib.training.crops import Crops
from codec_lib.training.logbook import Logbook
from codec_lib.training.objectives import Player, refuse_unused
from codec_lib.training.settings import Settings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

BAR = "{l_bar}{bar}| {elapsed} {postfix}"
SEEN = 32  # batches by which an objective may choose where to start
OVERFLOWS = "16-mixed"  # the precision whose scaler tries factors, and leaves out steps that overflow


def train(settings: Settings, build: Callable[..., Model] | None = None) -> Path:
    """Train, or resume where `out`/last.ckpt stopped, until the time budget is used up.

    `build` makes the model from its widths; unless given, it is the class that settings.model names.

    Runs on one device, or on several processes of one or more machines under `torchrun`. Writes into the
    folder `out`: `last.ckpt` (to resume), `log.csv`, and MODEL.safetensors with its card whenever
    validation has become better (without a validation folder: at every check). Of several machines
    one writes; `out` is best a folder that they share, else the newest checkpoint of any is sent to all.

    Returns:
        The path of the weights.
    Raises:
        ValueError: unknown model or part of it, no pictures of sufficient size, a value out of range, a
            setting that this model's training does not know, or another one than that of the checkpoint;
            a loss or a gradient that is not finite any more.
    """
    settings.check()
    build = build or architecture(settings.model)
    _check_widths(build, settings.widths)
    from codec_lib.training.launch import launched  # Fabric takes seconds to import

    fabric = launched(settings)
    torch.manual_seed(settings.seed)
    model = build(**settings.widths)
    if settings.crop % model.stride:
        raise ValueError(f"crop: {settings.crop}; {settings.model} needs multiples of {model.stride}")
    if settings.start:
        _start_from(model, settings.start)
    _train_only(model, settings.only)
    objective = model.channels_last().objective(settings)
    refuse_unused(objective, settings)
    players = objective.players()
    wrapped = [fabric.setup(player.module, player.optimizer) for player in players]
    rates = [[group["lr"] for group in optimizer.param_groups] for _, optimizer in wrapped]

    logbook = Logbook(settings, objective)
    resumed = logbook.resume(fabric, wrapped)
    seed = settings.seed + fabric.global_rank + 1000 * resumed
    crops = Crops(settings.data, settings.crop, settings.batch, seed, settings.enlarge, settings.soft)
    torch.manual_seed(seed)  # noise and qualities: different on every process, and after a restart

    objective.train()
    is_silent = None if fabric.is_global_zero else True  # None: where there is no terminal
    bar = tqdm(total=1.0, disable=is_silent, desc=settings.model, bar_format=BAR)
    batches = iter(crops)
    if logbook.step == 0 and not settings.start:
        seen = torch.cat([next(batches) for _ in range(SEEN)])
        objective.start(fabric.to_device(seen).contiguous(memory_format=torch.channels_last))
    processes.share(model, *(player.module for player in players))
    for x in batches:
        progress, is_due = fabric.broadcast((logbook.progress(), logbook.check_is_due()))
        if progress >= 1:
            break
        x = fabric.to_device(x).contiguous(memory_format=torch.channels_last)
        factor = schedule(progress, logbook.step)
        turns = zip(players, wrapped, rates, strict=True)
        notes = [_turn(fabric, settings, *turn, x, factor) for turn in turns]
        logbook.step += 1
        bar.update(progress - bar.n)
        bar.set_postfix_str(f"step {logbook.step} " + ", ".join(notes), refresh=False)
        if is_due:
            _check(fabric, logbook, model, wrapped)
    _check(fabric, logbook, model, wrapped)
    bar.close()
    return logbook.weights_path


def _check(fabric: "Fabric", logbook: Logbook, model: Model, wrapped: list[tuple]) -> None:
    """Validate, and write the checkpoint: whatever a validation raises, the run can go on."""
    try:
        if fabric.is_global_zero:
            logbook.check(fabric, model)
    finally:
        logbook.save(fabric, wrapped)


def _turn(
    fabric: "Fabric",
    settings: Settings,
    player: Player,
    wrapped: tuple,
    rates: list[float],
    x: torch.Tensor,
    factor: float,
) -> str:
    """One step of a player at a share of its learning rates; what the bar says of it.

    Raises ValueError where it diverges, with the parameters as they were.
    """
    module, optimizer = wrapped
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate * factor
    loss, note = player.loss(module, x)
    fabric.backward(loss)
    processes.average(optimizer)
    norm = fabric.clip_gradients(module, optimizer, max_norm=1.0, error_if_nonfinite=False)
    assert norm is not None  # as max_norm is given
    if not loss.isfinite() or not (norm.isfinite() or settings.precision == OVERFLOWS):
        raise ValueError(
            f"loss: {loss.item():g}, with a gradient of {norm.item():g}; allowed is what is finite, for "
            f"which a smaller lr may help"
        )
    optimizer.step()
    optimizer.zero_grad()
    return f"loss {loss.item():.3f} {note}"


def schedule(progress: float, step: int) -> float:
    """Factor on the learning rates: 100 steps of warm-up, then linearly down to zero."""
    return min(1.0, (step + 1) / 100) * max(0.0, 1 - progress)


def _check_widths(build: Callable[..., Model], widths: dict[str, int]) -> None:
    """Raise ValueError for widths that a model has not; none is 0 that is not 0 by itself."""
    known = signature(build).parameters
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in known.values()):
        return
    for name, value in widths.items():
        if name not in known:
            raise ValueError(f"widths: {name}; there are {', '.join(known) or 'none'}")
        if value == 0 and known[name].default:
            raise ValueError(f"widths: {name} {value}; allowed is 1 or more")


def _start_from(model: Model, start: str) -> None:
    """Begin with the parameters of some weights; ValueError for those of a model that does not fit."""
    trained = weights.load(start)
    try:
        model.start_from(trained.model)
    except (RuntimeError, AttributeError):
        raise ValueError(
            f"start: {start}; its model ({trained.architecture} {trained.model.widths}) does not fit"
        ) from None


def _train_only(model: nn.Module, parts: list[str]) -> None:
    """Leave all parameters as they are but those of some modules, named as in `named_modules`."""
    if not parts:
        return
    known = dict(model.named_modules())
    if unknown := set(parts) - set(known):
        names = ", ".join(name for name, _ in model.named_children())
        raise ValueError(f"only: {', '.join(sorted(unknown))}; the parts are {names}")
    model.requires_grad_(False)
    for part in parts:
        known[part].requires_grad_(True)
