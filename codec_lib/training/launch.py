"""Devices and processes of a run, as `torchrun` has started them."""

import logging
import os

from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import nn

from codec_lib.devices import pick_device
from codec_lib.training.settings import Settings


class PlainModules(DDPStrategy):
    """Modules are not wrapped: their gradients are averaged by `codec_lib.training.processes`."""

    def setup_module(self, module: nn.Module) -> nn.Module:  # type: ignore[override]
        return module


def launched(settings: Settings) -> Fabric:
    """Fabric on the device of the settings, connected to the other processes if there are any."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # not the precision that was asked for
    processes, here = (int(os.environ.get(name, 1)) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    fabric = Fabric(
        accelerator=pick_device(settings.device),
        devices=here,
        num_nodes=processes // here,
        strategy=PlainModules() if processes > 1 else "auto",
        precision=settings.precision,  # type: ignore[arg-type]  # `check` knows them
    )
    fabric.launch()
    return fabric
