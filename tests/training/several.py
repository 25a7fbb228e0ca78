"""What each process of `test_processes` runs: PICTURES OUT RUNS, the last one settings by name, in JSON.

Each run leaves in OUT/NAME/RANK.pt the state of its objective: of its networks, and its numbers.
"""

import json
import os
import sys
from functools import partial
from pathlib import Path

import torch
from torch import nn

from codec_lib.models import architecture
from codec_lib.training import processes
from codec_lib.training.loop import train
from codec_lib.training.objectives import Objective, Player, RateDistortionObjective
from codec_lib.training.perception import DecoderObjective
from codec_lib.training.settings import Settings

RANK = int(os.environ["RANK"])
NOISE = 7  # its seed, in a descent


class Descent(RateDistortionObjective):
    """Its step is the gradient, clipped; its batch is kept in OUT."""

    def players(self):
        return [Player(self.model, torch.optim.SGD(self.model.parameters(), 1.0), self.loss)]

    def loss(self, model, x):
        torch.save(x, Path(self.settings.out).parent / f"x.{RANK}.pt")
        torch.manual_seed(NOISE)
        return super().loss(model, x)


def run(settings: Settings, is_descent: bool) -> Objective:
    """Train; the objective as it is afterwards."""
    made = []

    def build(**widths: int):
        model = architecture(settings.model)(**widths)
        make = partial(Descent, model) if is_descent else model.objective
        model.objective = lambda settings: made.append(make(settings)) or made[0]
        return model

    train(settings, build)
    return made[0]


def state(objective: Objective) -> dict:
    """Parameters and buffers of its networks, and its numbers, by the names of its attributes."""
    values = vars(objective).items()
    networks = {name: value.state_dict() for name, value in values if isinstance(value, nn.Module)}
    return networks | {name: value for name, value in values if isinstance(value, float)}


def main() -> None:
    pictures, out, runs = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
    (out / "pid").write_text(str(os.getpid()))
    for name, options in runs.items():
        settings = Settings(data=[pictures], out=str(out / name), device="cpu", **options)
        torch.save(state(run(settings, name == "descent")), out / name / f"{RANK}.pt")
    torch.save(shared() | {"accuracy": accuracy()}, out / f"shared.{RANK}.pt")


def accuracy() -> float:
    """That of a discriminator which is always right in the first process, and never in the second."""
    settings = Settings("hyperprior", [], "", goal="pairs", only=["g_s"], crop=192)
    objective = DecoderObjective(architecture("hyperprior")(N=4, M=6), settings)
    photograph, made = torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)
    objective.last = photograph, made, made
    discriminator = nn.Identity()
    discriminator.forward = lambda first, _: (-1) ** RANK * (1 - 2 * first.mean((1, 2, 3)))[:, None]
    objective.discriminator_loss(discriminator, photograph)
    return objective.accuracy


def shared() -> dict:
    """Means of gradients that both processes have, one of them, or none; and what both have seen."""
    trained = [nn.Parameter(torch.zeros(2)) for _ in range(3)]
    trained[0].grad = torch.tensor([1.0 + RANK, 2.0])
    trained[1].grad = torch.tensor([3.0, 4.0]) if RANK else None
    processes.average(torch.optim.SGD(trained))
    seen = processes.together(torch.tensor([RANK, 10.0]))
    return {"gradients": [p.grad for p in trained], "seen": seen}


if __name__ == "__main__":
    main()
