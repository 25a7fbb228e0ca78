"""Weights of the flagship for the page, as `tools.web.publish` puts them there.

That is decoder-DIGEST.bin and encoder-DIGEST.bin, beside those of other codecs, and weights.json, which
names them all. They are made when the book is built and never committed. The digests in them are those
that files of pictures carry, so the page refuses pictures of other weights, and weights that were trained
again make other files with other names.

A file, little endian; every array starts at a multiple of 8 bytes, `web/src/weights.c` reads it:

    magic "CLD3" or "CLE3", length of the file (4 each)
    digests of the weights and of the probabilities (8 each)
    N, M, H, K (4 each), then arrays without names

A weight stands where the kernel reads it: [outputs / B][taps][inputs][B], B = 8 for floats, 4 for integers.
Convolutions are float16 as on disk, integer networks int16.
"""

import hashlib
import json
import struct
from pathlib import Path

import numpy as np
from safetensors import safe_open

from codec_lib import weights
from codec_lib.density import gaussian
from codec_lib.density.shapes import HEAVY_TAILED

NAME = "flagship"
N, M, H, K = 128, 320, 96, 128
FLOATS, INTEGERS = 8, 4  # outputs that a kernel computes at once
TAPS = 12  # of a context in 5 x 5
PHASE_TAPS = ((4, 2, 0), (3, 1))  # of a transposed convolution's kernel, for even and for odd outputs


class Arrays:
    """The arrays of a file of weights, packed for the page."""

    def __init__(self, path: Path):
        with safe_open(path, "np") as file:
            self.arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118

    def floats(self, name: str) -> bytes:
        """An array of float32."""
        return raw(self.arrays[name], "<f4")

    def convolution(self, name: str, outputs: np.ndarray | None = None, taps: int = 1) -> bytes:
        """Floats; `outputs` reorders the outputs, inputs c taps + t of a 1 x 1 become taps of inputs."""
        weight, bias = self.arrays[f"{name}.weight"], self.arrays[f"{name}.bias"]
        assert weight.dtype == np.float16
        if outputs is not None:
            weight, bias = weight[outputs], bias[outputs]
        by_tap = pointwise(weight, taps) if taps > 1 else spatial(weight)
        size = struct.pack("<4I", *by_tap.shape, 0)
        return size + raw(bias, "<f4") + raw(packed(by_tap, FLOATS), "<f2")

    def block(self, name: str) -> bytes:
        """The two convolutions of a residual block."""
        return self.convolution(f"{name}.branch.0") + self.convolution(f"{name}.branch.2")

    def exact(self, name: str, taps: int = 1) -> bytes:
        """A 1 x 1 convolution of integers, whose inputs are c taps + t."""
        weight, bias, shape = self._integers(name)
        return integers(pointwise(weight, taps), bias, shape)

    def window(self, name: str) -> bytes:
        """A convolution of integers that sees its neighbours."""
        weight, bias, shape = self._integers(name)
        return integers(spatial(weight), bias, shape)

    def transposed(self, name: str) -> bytes:
        """One of kernel 5 and stride 2: an ordinary convolution for each phase (a, c) of the output."""
        weight, bias, shape = self._integers(name)
        assert list(shape[:4]) == [1, 2, 2, 1]
        phases = [(rows, columns) for rows in PHASE_TAPS for columns in PHASE_TAPS]
        return b"".join(
            integers(np.stack([weight[:, :, i, j] for i in rows for j in columns]), bias, shape)
            for rows, columns in phases
        )

    def tables(self, name: str) -> bytes:
        """Integer tables: rows, entries; length and offset of each row; frequencies less one."""
        frequency, length, offset = (
            self.frozen(f"{name}.{part}") for part in ("frequency", "length", "offset")
        )
        size = struct.pack("<2I", len(length), len(frequency))
        return size + raw(length, "<i4") + raw(offset, "<i4") + raw(frequency, "<u2")

    def thresholds(self) -> bytes:
        """Sums from which on the next table is taken, and an infinity that no sum reaches."""
        return raw(np.append(self.frozen("index.thresholds").astype(np.float64), np.inf), "<f8")

    def frozen(self, name: str) -> np.ndarray:
        """A frozen array as it is stored."""
        return self.arrays[f"frozen.{name}"]

    def _integers(self, name: str) -> tuple[np.ndarray, ...]:
        return tuple(self.frozen(f"{name}.{part}") for part in ("weight", "bias", "shape"))


def raw(values: np.ndarray, dtype: str) -> bytes:
    """The bytes of an array, filled up to a multiple of 8."""
    data = np.ascontiguousarray(values, dtype=dtype).tobytes()
    return data + bytes(-len(data) % 8)


def packed(by_tap: np.ndarray, block: int) -> np.ndarray:
    """(taps, inputs, outputs) as (outputs / block, taps, inputs, block)."""
    taps, inputs, outputs = by_tap.shape
    return by_tap.reshape(taps, inputs, outputs // block, block).transpose(2, 0, 1, 3)


def spatial(weight: np.ndarray) -> np.ndarray:
    """(taps, inputs, outputs) of a convolution's weight, taps in the order of rows."""
    outputs, inputs, rows, columns = weight.shape
    return weight.transpose(2, 3, 1, 0).reshape(rows * columns, inputs, outputs)


def pointwise(weight: np.ndarray, taps: int) -> np.ndarray:
    """(taps, inputs, outputs) of a 1 x 1 convolution whose inputs are c taps + t."""
    return weight[:, :, 0, 0].reshape(len(weight), -1, taps).transpose(2, 1, 0)


def integers(by_tap: np.ndarray, bias: np.ndarray, shape: np.ndarray) -> bytes:
    """A layer of integers; `shape` is its `Geometry`, of which the page needs shift and slope.

    Where the kernel's outputs are more than the layer's, those are 0.
    """
    missing = -by_tap.shape[2] % INTEGERS
    by_tap, bias = np.pad(by_tap, ((0, 0), (0, 0), (0, missing))), np.pad(bias, (0, missing))
    assert np.abs(by_tap).max() < 2**15
    size = struct.pack("<3I3i", *by_tap.shape, int(shape[4]), int(shape[5]), 0)
    return size + raw(bias.astype(np.float64), "<f8") + raw(packed(by_tap, INTEGERS), "<i2")


def function(arrays: Arrays, name: str) -> bytes:
    """A function of integers that is a table: how many values, and these."""
    values = arrays.frozen(name)
    return struct.pack("<2I", len(values), 0) + raw(values, "<i4")


def decoder(arrays: Arrays) -> bytes:
    """What decoding needs, in the order of `load_decoder`."""
    shuffled = np.arange(4 * N).reshape(N, 4).T.ravel()  # phase, channel
    parts = [arrays.floats("gain.log_inverse"), arrays.tables("z"), arrays.tables("y")]
    parts += [arrays.transposed("h_s.0"), arrays.transposed("h_s.1"), arrays.exact("context.0", TAPS)]
    parts += [arrays.exact(name) for name in ("parameters.0", "parameters.1", "mean.0", "index.0")]
    parts += [
        arrays.thresholds(),
        arrays.convolution("g_s.0"),
        arrays.block("g_s.1"),
        arrays.block("g_s.2"),
    ]
    parts += [arrays.convolution("g_s.3", outputs=shuffled)]
    parts += [arrays.block(f"g_s.{k}") for k in (5, 6, 7)] + [arrays.convolution("g_s.8")]
    return b"".join(parts)


def encoder(arrays: Arrays) -> bytes:
    """What encoding needs beside that, in the order of `load_encoder`."""
    costs = gaussian.costs(HEAVY_TAILED).numpy()
    middle = costs.shape[1] // 2
    assert (costs == costs[:, ::-1]).all(), "shapes are symmetric: half of the costs is enough"
    parts = [arrays.floats("gain.log_gain"), arrays.convolution("g_a.2")]
    parts += [arrays.block(f"g_a.{k}") for k in (3, 4, 5)]
    parts += [arrays.convolution("g_a.7", taps=4), arrays.block("g_a.8"), arrays.block("g_a.9")]
    parts += [arrays.convolution(name) for name in ("g_a.10", "prior.h_a.0", "prior.h_a.2", "prior.h_a.4")]
    return b"".join([*parts, raw(costs[:, middle:], "<f4")])


def whole(magic: bytes, name: str, sizes: tuple[int, ...], body: bytes) -> bytes:
    """A file: its head, with the digests of the weights of that name, and its arrays."""
    trained = weights.load(name)
    digests = bytes.fromhex(trained.digest + trained.probabilities)
    return magic + struct.pack("<I", 40 + len(body)) + digests + struct.pack("<4I", *sizes) + body


def files() -> dict[str, bytes]:
    """The two files of the flagship, by what they are for."""
    assert weights.load(NAME).model.widths == {"N": N, "M": M}
    arrays, sizes = Arrays(weights.find(NAME)), (N, M, H, K)
    return {
        "decoder": whole(b"CLD3", NAME, sizes, decoder(arrays)),
        "encoder": whole(b"CLE3", NAME, sizes, encoder(arrays)),
    }


def write(folder: Path, made: dict[str, bytes]) -> None:
    """Write files of weights, and weights.json with their names and lengths."""
    listed = {}
    for name, content in made.items():
        file = f"{name}-{hashlib.sha256(content).hexdigest()[:16]}.bin"
        (folder / file).write_bytes(content)
        listed[name] = {"file": file, "bytes": len(content)}
    (folder / "weights.json").write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
