"""What is done to one picture, in a process of its own: a job goes in, a line of the manifest comes out.

No picture can end the run. What is wrong with one is the `error` of its line.
"""

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from codec_lib.folders.manifest import Row
from codec_lib.folders.place import Place
from codec_lib.folders.places import sha256

CLC = ".clc"


@dataclass(frozen=True)
class Job:
    """`kind` is one of `KINDS`: it reads the file `name` of `source`, and makes `output` in `target`.

    `path` names the picture in the manifest. `options` are those of the kind.
    """

    kind: str
    path: str
    source: Place
    name: str
    target: Place | None
    output: str
    task: str
    options: dict[str, Any] = field(default_factory=dict)


def do(job: Job) -> Row:
    """The line of a job; it raises nothing but what ends a process."""
    began = time.perf_counter()
    row: Row = {"path": job.path, "task": job.task}
    try:
        row["source"] = job.source.state(job.name)
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            row |= KINDS[job.kind](job)
        if kept := [str(note.message) for note in notes if issubclass(note.category, UserWarning)]:
            row["notes"] = kept
    except Exception as error:  # whatever it is, the other pictures go on
        row["error"] = " ".join(str(error).split()) or type(error).__name__
    row["seconds"] = round(time.perf_counter() - began, 3)
    return row


def encode(job: Job) -> Row:
    """A picture to a .clc file, which is decoded before it counts."""
    from codec_lib import codec, verification

    picture = job.source.path(job.name)
    data = codec.encode(picture, **job.options)
    device = job.options.get("device", "auto")
    found = verification.verify(picture, data, device=device)
    if not found.is_kept:
        raise RuntimeError(f"encode: largest error {found.largest_error}, allowed is {found.promise}")
    return _described(found, verification.symbols(data, device=device)) | _written(job, data)


def decode(job: Job) -> Row:
    """A .clc file to a picture of the ending that `output` has."""
    from codec_lib import codec, decoding, verification
    from codec_lib.picture import export

    data = job.source.read(job.name)
    decoded = decoding.decode(data, **job.options)
    image, ending = decoded.image, PurePosixPath(job.output).suffix
    lossless = decoded.promise == 0
    content, notes = export.to_bytes(image, ending, lossless=lossless, info=decoded.info)
    for note in notes:
        warnings.warn(note, stacklevel=1)
    header = codec.inspect(data).header
    size = [header.width, header.height] if header else None
    row = {"size": size, "mode": header.mode if header else None, "pixels": verification.pixels(image)}
    return row | _written(job, content)


def verify(job: Job) -> Row:
    """A file against what a manifest says: its bytes, and what those of a .clc file decode to.

    That is samples. Where those of a lossy file differ, as on another machine they may by a level, it is
    the integers that they are made from; lines without a digest of these, and models that tell none, make a
    note of it.
    """
    from codec_lib import decoding, verification

    data = job.source.read(job.name)
    expected, device = job.options, job.options["device"]
    if sha256(data) != expected["sha256"]:
        raise ValueError("file: its bytes are not those that were written")
    if not job.name.lower().endswith(CLC):
        return {"bytes": len(data)}
    decoded = decoding.decode(data, device=device)
    if verification.pixels(decoded.image) != expected["pixels"]:
        known, other = expected["symbols"], "it decodes to other samples than when it was written"
        integers = known and verification.symbols(data, device=device)
        if decoded.promise is not None or (integers and integers != known):
            raise ValueError(f"file: {other}")
        if not integers:
            warnings.warn(f"{other}, perhaps on another machine; its bytes are the same", stacklevel=1)
    return {"bytes": len(data)}


def measure(job: Job) -> Row:
    """Bytes and squared error of a picture at each of some values of a setting: nothing is written."""
    from codec_lib import codec, verification

    options, picture = dict(job.options), job.source.path(job.name)
    name, points = options.pop("setting"), []
    for value in options.pop("values"):
        data = codec.encode(picture, **options, **{name: value})
        found = verification.verify(picture, data, device=options.get("device", "auto"))
        points.append([value, len(data), found.squared_error])
    return {"points": points}


def _written(job: Job, data: bytes) -> Row:
    """Write the output; what its line says of it."""
    assert job.target is not None
    job.target.write(job.output, data)
    return {"output": job.output, "bytes": len(data), "sha256": sha256(data)}


def _described(found: Any, symbols: str | None) -> Row:
    return {
        "size": list(found.size),
        "mode": found.mode,
        "pixels": found.pixels,
        "symbols": symbols,
        "psnr": None if found.psnr == math.inf else round(found.psnr, 3),
        "largest_error": found.largest_error,
    }


KINDS: dict[str, Callable[[Job], Row]] = {
    "encode": encode,
    "decode": decode,
    "verify": verify,
    "measure": measure,
}
