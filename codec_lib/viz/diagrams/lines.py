"""Layers of a network in words, as lines of a box: read from the modules, so that a drawing cannot lie."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from torch import nn

from codec_lib.layers.affine import Affine
from codec_lib.layers.binarizer import Binarizer
from codec_lib.layers.conditional import ConditionalConv2d
from codec_lib.layers.gdn import GDN
from codec_lib.layers.masked import MaskedConv2d, MaskedConv3d
from codec_lib.layers.recurrent import CELLS, Cell
from codec_lib.layers.residual import PartialResidualBlock
from codec_lib.models.compressive_autoencoder import ResidualBlock
from codec_lib.models.tucodec import PostFilter
from codec_lib.viz.diagrams.parts import Line

ACTIVATIONS = {
    nn.ReLU: "ReLU",
    nn.LeakyReLU: "leaky",
    nn.Tanh: "tanh",
    nn.ELU: "ELU",
    nn.Sigmoid: "sigmoid",
}


def lines_of(*modules: nn.Module, channels: int = 0) -> list[Line]:
    """Lines of modules that work one after the other; what follows a convolution stands in its line.

    channels: how many come in, where the first module does not say it itself.

    Raises:
        TypeError: a module that has no words here.
    """
    lines: list[Line] = []
    for layer in _leaves(modules):
        behind = ACTIVATIONS.get(type(layer)) or (
            "" if not isinstance(layer, GDN) else "IGDN" if layer.inverse else "GDN"
        )
        if isinstance(layer, Affine | nn.Identity):
            continue
        if behind:
            lines.append(replace(last := lines.pop(), text=f"{last.text}, {behind}"))
            continue
        line, channels = _line(layer, channels)
        lines.append(line)
    return _merged(lines)


def outputs_of(module: nn.Module) -> tuple[int, ...]:
    """How many channels each convolution in a module gives, in the order of the modules."""
    found = []
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Conv3d):
            found.append(part.out_channels)
        elif isinstance(part, ConditionalConv2d):
            found.append(len(part.weight))
    return tuple(found)


def _leaves(modules: Sequence[nn.Module]) -> Iterator[nn.Module]:
    """Layers in order, without the lists that hold them."""
    for module in modules:
        if isinstance(module, nn.Sequential | nn.ModuleList):
            yield from _leaves(list(module))
        else:
            yield module


def _line(layer: nn.Module, channels: int) -> tuple[Line, int]:
    """The line of a layer, and how many channels it gives."""
    outputs = outputs_of(layer)
    match layer:
        case nn.PixelUnshuffle():
            factor = layer.downscale_factor
            return Line(f"unshuffle ↓{factor}", str(given := (channels or 3) * factor**2)), given
        case nn.PixelShuffle():
            factor = layer.upscale_factor
            return Line(f"shuffle ↑{factor}", str(given := channels // factor**2)), given
        case PartialResidualBlock():
            part = layer.channels
            if channels > part:
                return Line("block", f"{part} of {channels}", outputs), channels
            return Line("block 3×3, 1×1", str(part), outputs), part
        case ResidualBlock():
            return Line("block 3×3, 3×3", str(outputs[-1]), outputs), outputs[-1]
        case PostFilter():
            return Line("x + (3×3, leaky, 3×3)", f"{outputs[0]}, {outputs[1]}", outputs), outputs[1]
        case Binarizer():
            return Line("conv 1×1, sign", str(outputs[-1]), outputs), outputs[-1]
        case Cell():
            kernel = layer.W[layer.candidate]
            (name,) = (name for name, kind in CELLS.items() if kind is type(layer))
            name = {"residual-gru": "residual GRU"}.get(name, name.upper())
            assert isinstance(kernel, nn.Conv2d)
            return Line(f"{name} {_window(kernel)}", str(layer.outputs), outputs), layer.outputs
        case MaskedConv2d() | MaskedConv3d():
            return Line(
                f"masked conv {_window(layer)}", str(layer.out_channels), outputs
            ), layer.out_channels
        case nn.ConvTranspose2d():
            return Line(
                f"deconv {_window(layer, '↑')}", str(layer.out_channels), outputs
            ), layer.out_channels
        case nn.Conv2d():
            return Line(f"conv {_window(layer)}", str(layer.out_channels), outputs), layer.out_channels
        case ConditionalConv2d():
            return Line("conv 1×1 for each τ", str(outputs[-1]), outputs), outputs[-1]
    raise TypeError(f"layer: {type(layer).__name__}; nothing is known of how to say it")


def _window(layer: nn.Conv2d | nn.ConvTranspose2d | nn.Conv3d, arrow: str = "↓") -> str:
    """Kernel and stride."""
    stride = layer.stride[0]
    return "×".join(map(str, layer.kernel_size)) + (f" {arrow}{stride}" if stride > 1 else "")


def _merged(lines: list[Line]) -> list[Line]:
    """Equal blocks in a row as one line, with their number."""
    merged: list[tuple[Line, list[int], int]] = []
    for line in lines:
        is_next = merged and (merged[-1][0].text, merged[-1][0].channels) == (line.text, line.channels)
        if is_next and line.text.startswith("block"):
            first, outputs, times = merged.pop()
            merged.append((first, [*outputs, *line.outputs], times + 1))
        else:
            merged.append((line, list(line.outputs), 1))
    return [
        Line(f"{times} × {line.text}" if times > 1 else line.text, line.channels, tuple(outputs))
        for line, outputs, times in merged
    ]
