"""Damaged files: what a bad disk, a bad line and a hostile writer do to a `.clc` file.

A case is made from its seed alone, so that one number replays it:

    from tools import damage
    originals = damage.originals()
    case = damage.case(4711, originals)
    damage.judge(case, originals)

The kinds with "in a section" or "resealed" make all checksums right again after the damage, so that
the coder and the networks meet hostile bytes; "hostile symbols" come from a writer that encodes
values which no picture has. All others leave the checksums as they were.
"""

import struct
import time
import warnings
import zlib
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from unittest.mock import patch

import numpy as np
from numpy.random import Generator
from PIL import Image

import codec_lib as cl
from codec_lib import container, data, guard, header, weights
from codec_lib.entropy import rans, rice
from codec_lib.entropy.adaptive import Adaptive
from codec_lib.entropy.mixture import Fixed
from codec_lib.filtering.layer import COLOURS, FEATURES
from codec_lib.models.fitted import Fitted
from codec_lib.picture import planes, png
from tools.damaged_bytes import BYTES
from tools.file_layout import chunks, header_layout

VALUES = {"quality": (2.0, 6.5), "tau": (0, 2), "iterations": (2, 5)}  # of each setting
EFFORT = 1  # at most: a few steps beyond none; some encoders could try for hours
FILTER = bytes([6]) + rice.encode(np.arange(FEATURES * COLOURS) % 9 - 4)
PICTURES = (("RGB", 56, 40), ("RGBA", 56, 40), ("LA", 23, 17), ("L", 1, 1))  # mode, width, height


@dataclass(frozen=True, eq=False)
class Original:
    """An intact file, how it came about, and the picture that it decodes to."""

    model: str
    setting: dict[str, float]
    image: Image.Image
    data: bytes
    decoded: Image.Image


@dataclass(frozen=True)
class Case:
    """A damaged file. `resealed`: its checksums are right again."""

    seed: int
    kind: str
    data: bytes
    resealed: bool


@dataclass(frozen=True)
class Verdict:
    """How decoding went: "refused" by a check, "equal", "different", or "failed" (a claim is broken)."""

    outcome: str
    check: str
    seconds: float


def originals(models: Iterable[str] | None = None) -> list[Original]:
    """Some models, or all, with every kind of tiny picture in two settings, cut from a sample photo."""
    photo, files = data.sample("astronaut"), []
    for model in weights.available() if models is None else models:
        codec = weights.load(model).model
        name, effort = codec.setting.name, min(codec.best_effort, EFFORT)
        for k, (mode, width, height) in enumerate(PICTURES):
            for setting in ({name: value} for value in VALUES[name]):
                image = photo.crop((150 + 20 * k, 60, 150 + 20 * k + width, 60 + height)).convert(mode)
                if mode.endswith("A"):
                    image.putalpha(Image.linear_gradient("L").resize(image.size))
                file = cl.encode(image, model, effort=effort, **setting)
                if mode == "RGB":  # which are too small to get what is optional by themselves
                    head, sections = parts_of(file)
                    file = container.write(head, sections | dict.fromkeys(codec.optional, FILTER))
                files.append(Original(model, setting, image, file, cl.decode(file)))
    return files


# Damage to files: (original, random, another original) -> damaged file.


def parts_of(data: bytes) -> tuple[header.Header, dict[str, bytes]]:
    """Header and sections of an intact file."""
    file = container.read(data)
    return file.header, file.take()


def raw(mutate: Callable) -> Callable:
    """The same damage to the bytes of a whole file."""
    return lambda original, random, other: mutate(original.data, random, other.data)


def in_a_section(mutate: Callable) -> Callable:
    """The same damage to the bytes of one section, behind right checksums."""

    def damaged(original: Original, random: Generator, other: Original) -> bytes:
        head, sections = parts_of(original.data)
        name = random.choice(list(sections))
        foreign = parts_of(other.data)[1].get(name, other.data)
        return container.write(head, {**sections, name: mutate(sections[name], random, foreign)})

    return damaged


def exchanged_section(original: Original, random: Generator, other: Original) -> bytes:
    """A section of another picture, setting or model, behind right checksums."""
    return in_a_section(lambda data, random, foreign: foreign)(original, random, other)


def sections_at_random(original: Original, random: Generator, other: Original) -> bytes:
    """Sections that are missing, too many, or in another order, behind right checksums."""
    head, sections = parts_of(original.data)
    pool = {**parts_of(other.data)[1], **sections, "z": random.bytes(9), "future": b"", "low": b""}
    names = random.permutation(list(pool))[: random.integers(len(pool) + 1)]
    return container.write(head, {str(name): pool[name] for name in names})


def first_stages(original: Original, random: Generator, other: Original) -> bytes:
    """A file that `truncate` made, and then one of its sections damaged, behind right checksums."""
    shorter = cl.truncate(original.data, stages=1)
    head, sections = parts_of(shorter)
    name = random.choice(list(sections))
    mutate = BYTES[random.integers(len(BYTES))]
    return container.write(head, {**sections, name: mutate(sections[name], random, other.data)})


def header_field(original: Original, random: Generator, other: Original) -> bytes:
    """One number of the header at an extreme, the checksum as it was."""
    layout = header_layout(original.data)
    offset, code = layout[random.integers(len(layout))]
    width = struct.calcsize(code)
    value = int.from_bytes(original.data[offset : offset + width], "little")
    top = 256**width - 1
    values = [0, 1, value - 1, value + 1, 255, 256, 2048, 1 << 13, 1 << 16, 1 << 26, top // 2 + 1, top]
    value = values[random.integers(len(values))] & top
    return original.data[:offset] + value.to_bytes(width, "little") + original.data[offset + width :]


def resealed_header_field(original: Original, random: Generator, other: Original) -> bytes:
    """One number of the header at an extreme, behind a right checksum."""
    damaged = header_field(original, random, other)
    end = header_layout(original.data)[-1][0]
    return damaged[:end] + struct.pack("<I", zlib.crc32(damaged[:end])) + damaged[end + 4 :]


def resealed_size(original: Original, random: Generator, other: Original) -> bytes:
    """Another width and height, up to what is allowed, behind a right checksum."""
    head, sections = parts_of(original.data)
    exponent = random.uniform(0, 26)
    side = random.uniform(max(0, exponent - 16), min(16, exponent))
    size = {"width": int(2**side), "height": int(2 ** (exponent - side))}
    return container.write(replace(head, **size), sections)


def resealed_alpha_chunk(original: Original, random: Generator, other: Original) -> bytes:
    """A chunk of the alpha channel's PNG damaged, behind right checksums of chunk, section and header.

    A file without alpha gets the alpha of a picture of its own size.
    """
    head, sections = parts_of(original.data)
    width, height = original.image.size
    packed = sections.get("alpha") or planes.pack("alpha", np.zeros((height, width), np.uint8))
    parts = list(chunks(packed))
    k = random.integers(len(parts))
    mutate = BYTES[random.integers(len(BYTES))]
    parts[k] = parts[k][:4] + mutate(parts[k][4:], random, other.data)
    sealed = (struct.pack(">I", len(p) - 4) + p + struct.pack(">I", zlib.crc32(p)) for p in parts)
    sections["alpha"] = png.SIGNATURE + b"".join(sealed)
    return container.write(replace(head, mode=head.mode.rstrip("A") + "A"), sections)


def hostile_symbols(original: Original, random: Generator, other: Original) -> bytes:
    """A file whose writer replaced some symbols by values that no picture has."""
    extremes = [-(2**31), 2**31 - 1, -(2**15), 2**15, -(2**24) - 1, 2**24 + 1, -1, 1]
    honest = rans.encode

    def encode(symbols, *arguments, **options):
        symbols = np.array(symbols)
        if symbols.size and random.random() < 0.6:
            places = random.integers(symbols.size, size=random.integers(1, 9))
            symbols[places] = random.choice(extremes, size=places.size)
        return honest(symbols, *arguments, **options)

    def dishonest(entries_of: Callable) -> Callable:
        def entries(*arguments):
            entries = entries_of(*arguments)
            places = random.integers(max(1, entries.size), size=random.integers(9) * (entries.size > 0))
            start = random.integers(1 << 16, size=places.size)
            entries[places] = start | ((1 << 16) - 1 - start) << 16
            return entries

        return entries

    if "r" in parts_of(original.data)[1]:  # its encoder decodes the lossy layer itself
        tampered = [patch.object(coder, "entries", dishonest(coder.entries)) for coder in (Adaptive, Fixed)]
    else:
        tampered = [patch.object(rans, "encode", encode)]
    # Who would notice: the guard, and a fit that reads its own parameters to report what they cost.
    tampered.append(patch.object(guard, "is_suspicious", return_value=False))
    tampered.append(patch.object(Fitted, "_ends", return_value=(0.0, 1.0)))
    with ExitStack() as stack:
        for change in tampered:
            stack.enter_context(change)
        return cl.encode(original.image, original.model, effort=0, **original.setting)


def _name(function: Callable) -> str:
    return function.__name__.replace("_", " ")


CHECKSUMS_LEFT = {_name(f): raw(f) for f in BYTES} | {_name(header_field): header_field}
CHECKSUMS_RIGHT = {f"{_name(f)} in a section": in_a_section(f) for f in BYTES} | {
    _name(f): f
    for f in (
        exchanged_section, sections_at_random, first_stages, resealed_header_field, resealed_size,
        resealed_alpha_chunk, hostile_symbols,
    )
}  # fmt: skip
KINDS = {**CHECKSUMS_LEFT, **CHECKSUMS_RIGHT}


def case(seed: int, originals: list[Original]) -> Case:
    """The damaged file of a seed; seeds go through the kinds in turn."""
    random = np.random.default_rng(seed)
    original, other = (originals[i] for i in random.integers(len(originals), size=2))
    kind = list(KINDS)[seed % len(KINDS)]
    return Case(seed, kind, KINDS[kind](original, random, other), kind in CHECKSUMS_RIGHT)


def judge(case: Case, originals: list[Original], seconds: float = 2) -> Verdict:
    """Decode a damaged file and hold the result against what the library claims.

    A file that is no intact original is refused by a BitstreamError of one line, within `seconds`.
    Only behind right checksums it may give a picture, then of the size and mode that it declares.
    """
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cl.PictureWarning)
            outcome, check = _compare(cl.decode(case.data), case, originals), ""
    except cl.BitstreamError as error:
        outcome, check = "refused", check_of(str(error))
        if "\n" in str(error):
            outcome, check = "failed", f"message of several lines: {error!r}"
    except Exception as error:
        outcome, check = "failed", repr(error)
    elapsed = time.perf_counter() - start
    if outcome != "failed" and elapsed > seconds:
        outcome, check = "failed", f"took {elapsed:.1f} s"
    if outcome == "different" and not case.resealed:
        outcome, check = "failed", "a picture of a damaged file"
    return Verdict(outcome, check, elapsed)


def _compare(decoded: Image.Image, case: Case, originals: list[Original]) -> str:
    head = container.inspect(case.data).header
    if (decoded.mode, decoded.size) != (head.mode.removesuffix(";16"), (head.width, head.height)):
        return "failed"
    intact = [original for original in originals if original.data == case.data]
    if not intact:
        return "different"
    return "equal" if decoded.tobytes() == intact[0].decoded.tobytes() else "failed"


def check_of(message: str) -> str:
    """Which of the decoder's checks a BitstreamError comes from.

    >>> check_of("section z: 3 bytes left of 5; truncated"), check_of("section y: rans: 3 words left")
    ('section length', 'coder')
    """
    field, _, reason = message.partition(": ")
    if "CRC-32 is" in reason:
        return f"{field.split()[0]} CRC-32"
    if field == "header":
        return "header length"
    if field.startswith("section "):
        if " bytes left of " in reason:
            return "section length"
        return "alpha PNG" if field == "section alpha" else "coder"
    return {"rans": "coder", "escape codes": "coder", "file": "file length"}.get(field, field)
