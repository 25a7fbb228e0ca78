"""Codecs that are two transforms with a prior between them."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from codec_lib import picture
from codec_lib.errors import section
from codec_lib.filtering import choice as filters
from codec_lib.filtering.layer import PictureFilter
from codec_lib.layers.bands import BAND, in_bands, input_of
from codec_lib.layers.gain import GainUnit, lambda_of
from codec_lib.models.base import OUTER, Model, crop, pad, samples
from codec_lib.models.output import Output
from codec_lib.priors.base import Prior, Sections
from codec_lib.refinement import STEPS, refine
from codec_lib.setting import QUALITY

if TYPE_CHECKING:
    from codec_lib.training.objectives import Objective
    from codec_lib.training.settings import Settings

After = Callable[[Tensor], Tensor]


class TransformCodec(Model):
    r"""Two transforms, a gain for each channel and quality, and a prior of what is coded::

        x --> g_a --> y --*m--> prior --> y_hat --*m'--> g_s (--> filter) --> x_hat

    With effort an encoder looks for better symbols (`codec_lib.refinement`), and gives the picture a filter
    of its own, section `f`, where that pays (`codec_lib.filtering`).

    Subclasses give the parts to `__init__`, and say by `downsampling` how much smaller y is than x. `outer`
    layers at both ends are applied in bands of `band_rows` rows of the picture, None means all of them:
    these work at the largest sizes.
    """

    setting = QUALITY
    best_effort = len(STEPS) - 1
    optional = ("f",)
    downsampling = 16
    outer: int | None = OUTER
    band_rows = BAND

    def __init__(
        self, g_a: nn.Sequential, prior: Prior, g_s: nn.Sequential, initial_gain: float, **widths: int
    ):
        super().__init__(**widths)
        self.g_a, self.prior, self.g_s = g_a, prior, g_s
        self.gain = GainUnit(prior.M, initial_gain)
        self.frozen = prior.frozen
        self.stride = self.downsampling * prior.reduction

    def stages(self, setting: float) -> tuple[tuple[str, ...], ...]:
        return (self.prior.sections,)

    def forward(self, x: Tensor, quality: Tensor) -> Output:
        """Training pass (noise) or, in eval mode, what coding would give (rounding).

        x is (B, 3, H, W) in [0, 1] with sides that divide by `stride`, quality (B,) in [1, 8].
        """
        y_hat, bits = self.latents(x, quality)
        if self.training and self.is_prior_alone():
            return Output(x, bits)
        return Output(self.g_s(y_hat).float(), bits)

    def latents(self, x: Tensor, quality: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """What g_s gets (B, M, h, w), and each section's bits, (B,): with noise in training."""
        gain, inverse = self.gain(quality)
        y_hat, bits = self.prior(self.g_a(x).float() * gain, gain)
        return y_hat * inverse, bits

    def freeze(self) -> "TransformCodec":
        self.prior.freeze(self.gain)
        return self

    def objective(self, settings: "Settings") -> "Objective":
        from codec_lib.training.objectives import RateDistortionObjective
        from codec_lib.training.perception import DecoderObjective

        if settings.only == ["g_s"] and settings.goal != "mse":
            return DecoderObjective(self, settings)
        return RateDistortionObjective(self, settings)

    @torch.inference_mode(False)  # whatever an application has switched on: effort needs gradients
    @torch.no_grad()
    def compress(self, levels: Tensor, setting: float, effort: int = 0) -> Sections:
        gain, _ = self.gain(self.quality_tensor(setting))
        size, levels = (levels.shape[2], levels.shape[3]), pad(levels, self.stride)
        y = self.analyze(levels) * gain
        choice = refine(self, levels, y, setting, STEPS[effort], size) if effort else None
        sections = self.prior.encode(y, setting, choice)
        return sections | self.filter_of(levels, sections, setting, size) if effort else sections

    def filter_of(
        self, levels: Tensor, sections: Sections, setting: float, size: tuple[int, int]
    ) -> Sections:
        """The section of the filter that makes most of a picture's other sections; none where none pays.

        levels as `pad` gives them; the picture is the upper left part of this size.
        """
        x_hat = crop(self.synthesize(self._scaled_latents(sections, setting, *size)), *size)
        worth = lambda_of(setting).item() * 255**2 / levels.shape[1]
        found = filters.fit(x_hat, crop(levels, *size), worth)
        return {} if found is None else {"f": found}

    @torch.inference_mode()
    def read(self, sections: Sections, setting: float, height: int, width: int) -> dict[str, Tensor]:
        """The integers of every section: the half of the decoder that is exact on every machine.

        Raises SectionError when one does not fit the declared size.
        """
        rows, columns = (-(-side // self.stride) * self.prior.reduction for side in (height, width))
        integers = {}
        if "f" in sections:
            with section("f"):
                integers["f"], _ = filters.read(sections["f"])
        return integers | self.prior.decode(sections, setting, (rows, columns))

    @torch.inference_mode()
    def bit_map(self, sections: Sections, setting: float, height: int, width: int) -> np.ndarray | None:
        return self.prior.bit_map(self.read(sections, setting, height, width))

    @torch.inference_mode()
    def decompress(self, sections: Sections, setting: float, height: int, width: int) -> Tensor:
        y_hat = self._scaled_latents(sections, setting, height, width)
        return crop(self.synthesize(y_hat, picture.round_to_levels, self._last(sections)), height, width)

    @torch.inference_mode()
    def decompress_part(
        self, sections: Sections, setting: float, height: int, width: int, rows: slice, columns: slice
    ) -> Tensor:
        """All symbols are read, and g_s is applied to those that the part depends on."""
        y_hat, spans = self._scaled_latents(sections, setting, height, width), (rows, columns)
        last = self._last(sections)
        layers = nn.Sequential(self.g_s, *last)
        near = [input_of(layers, span, side) for span, side in zip(spans, y_hat.shape[2:], strict=True)]
        levels = self.synthesize(y_hat[..., near[0], near[1]], picture.round_to_levels, last)
        starts = [part.start * self.downsampling for part in near]
        top, left = (span.start - start for span, start in zip(spans, starts, strict=True))
        return crop(levels[..., top:, left:], rows.stop - rows.start, columns.stop - columns.start)

    @torch.inference_mode()
    def reconstruct(self, sections: Sections, setting: float, height: int, width: int) -> Tensor:
        """The same as floats (1, 3, height, width), clamped to [0, 1] but not rounded to levels."""
        y_hat = self._scaled_latents(sections, setting, height, width)
        return crop(self.synthesize(y_hat, last=self._last(sections)), height, width).clamp_(0, 1)

    def _last(self, sections: Sections) -> list[nn.Module]:
        """What comes after g_s: the filter of the picture, where it has one."""
        if "f" not in sections:
            return []
        with section("f"):
            integers, step = filters.read(sections["f"])
        return [PictureFilter(integers * 2.0**-step).to(self.device)]

    def _scaled_latents(self, sections: Sections, setting: float, height: int, width: int) -> Tensor:
        y_hat = self.read(sections, setting, height, width)["y"]
        _, inverse = self.gain(self.quality_tensor(setting))
        return (y_hat * (inverse * self.prior.unit)).contiguous(memory_format=torch.channels_last)

    def analyze(self, x: Tensor) -> Tensor:
        """y (B, M, h, w) of levels, uint8, or of floats in [0, 1]: g_a, its outer layers in bands."""
        outer = self.g_a[: self.outer]
        inner = self.g_a[len(outer) :]
        return inner(in_bands(outer, x, lambda band: outer(samples(band)), self.band_rows))

    def synthesize(
        self, y_hat: Tensor, after: After | None = None, last: Sequence[nn.Module] = ()
    ) -> Tensor:
        """x_hat (B, 3, H, W): g_s and `last` layers, the outer ones in bands that go through `after`."""
        count = len(self.g_s) if self.outer is None else self.outer
        inner, outer = self.g_s[:-count], nn.Sequential(*self.g_s[-count:], *last)
        return in_bands(
            outer, inner(y_hat), lambda band: after(outer(band)) if after else outer(band), self.band_rows
        )
