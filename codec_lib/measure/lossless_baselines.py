"""The lossless codecs to beat, and the near-lossless coder that needs ten lines of code.

| name   | library                | settings                                                        |
|--------|------------------------|-----------------------------------------------------------------|
| png    | Pillow (libpng, zlib)  | optimize                                                        |
| jpegls | imagecodecs (CharLS)   | planes R - G, G, B - G modulo 256, centred: it has no such step |
| jpeg2k | imagecodecs (OpenJPEG) | reversible 5/3 wavelet and colour transform                     |
| webp   | imagecodecs (libwebp)  | lossless, method 6                                              |
| jxl7   | imagecodecs (libjxl)   | lossless, effort 7                                              |
| jxl9   | imagecodecs (libjxl)   | lossless, effort 9                                              |

Near-lossless: `prequantize` rounds every sample to a multiple of 2 tau + 1, the multiples' numbers are
coded without loss, `restore` multiplies them out again. JPEG-LS also has a bound of its own, NEAR: it
rounds what its prediction leaves, and predicts from what the decoder will have (`encode_near`). Planes are
then red, green and blue, as errors of differences would add up.

Source of the colour planes: HP1 of the JPEG-LS extensions (ITU-T T.870); of the quantizer: common practice.
"""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Lossless:
    """One encoder: what it is called on a plot, and its settings in words."""

    label: str
    settings: str


LOSSLESS = {
    "png": Lossless("PNG", "Pillow, optimize"),
    "jpegls": Lossless("JPEG-LS", "imagecodecs, planes R - G, G, B - G"),
    "jpeg2k": Lossless("JPEG 2000", "imagecodecs, reversible"),
    "webp": Lossless("WebP", "imagecodecs, lossless, method 6"),
    "jxl7": Lossless("JPEG XL, effort 7", "imagecodecs, lossless, effort 7"),
    "jxl9": Lossless("JPEG XL, effort 9", "imagecodecs, lossless, effort 9"),
}


NEAR = "jpegls-near"  # the one rival with a bound of its own
NEAR_SETTINGS = "imagecodecs, NEAR = tau, planes R, G, B"


def encode(name: str, image: np.ndarray) -> bytes:
    """The bytes of a uint8 picture (H, W, 3); ValueError for a name that is not in `LOSSLESS`."""
    import imagecodecs

    match name:
        case "png":
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "PNG", optimize=True)
            return buffer.getvalue()
        case "jpegls":
            return _joined([imagecodecs.jpegls_encode(plane) for plane in _difference_planes(image)])
        case "jpeg2k":
            return bytes(imagecodecs.jpeg2k_encode(image, reversible=True, level=0, mct=True))
        case "webp":
            return bytes(imagecodecs.webp_encode(image, lossless=True, method=6, level=100))
        case "jxl7" | "jxl9":
            return bytes(imagecodecs.jpegxl_encode(image, lossless=True, effort=int(name[-1])))
    raise ValueError(f"baseline: {name!r}; there are {', '.join(LOSSLESS)}")


def decode(name: str, data: bytes) -> np.ndarray:
    """The picture (H, W, 3) in bytes that `encode` made."""
    import imagecodecs

    match name:
        case "png":
            return np.asarray(Image.open(io.BytesIO(data)))
        case "jpegls":
            return _from_difference_planes([imagecodecs.jpegls_decode(part) for part in _parts(data)])
        case "jpeg2k":
            return imagecodecs.jpeg2k_decode(data)
        case "webp":
            return imagecodecs.webp_decode(data)
        case "jxl7" | "jxl9":
            return imagecodecs.jpegxl_decode(data)
    raise ValueError(f"baseline: {name!r}; there are {', '.join(LOSSLESS)}")


def encode_near(image: np.ndarray, tau: int) -> bytes:
    """A JPEG-LS file of each colour, whose samples are off by tau at most."""
    import imagecodecs

    planes = (np.ascontiguousarray(image[..., k]) for k in range(3))
    return _joined([imagecodecs.jpegls_encode(plane, level=tau) for plane in planes])


def decode_near(data: bytes) -> np.ndarray:
    """The picture (H, W, 3) in bytes that `encode_near` made."""
    import imagecodecs

    return np.stack([imagecodecs.jpegls_decode(part) for part in _parts(data)], axis=-1)


def prequantize(image: np.ndarray, tau: int) -> np.ndarray:
    """Number of the multiple of 2 tau + 1 that each uint8 sample is nearest to, uint8."""
    return ((image.astype(int) + tau) // (2 * tau + 1)).astype(np.uint8)


def restore(numbers: np.ndarray, tau: int) -> np.ndarray:
    """The samples, uint8, at most tau from those that `prequantize` was given."""
    return np.minimum(numbers.astype(int) * (2 * tau + 1), 255).astype(np.uint8)


def _joined(planes: Sequence[bytes | bytearray]) -> bytes:
    return struct.pack("<2I", *map(len, planes[:2])) + b"".join(planes)


def _parts(data: bytes) -> list[bytes]:
    first, second = struct.unpack_from("<2I", data)
    return [data[a:b] for a, b in pairwise((8, 8 + first, 8 + first + second, len(data)))]


def _difference_planes(image: np.ndarray) -> list[np.ndarray]:
    red, green, blue = (image[..., k].astype(int) for k in range(3))
    return [(plane & 255).astype(np.uint8) for plane in (red - green + 128, green, blue - green + 128)]


def _from_difference_planes(planes: list[np.ndarray]) -> np.ndarray:
    red, green, blue = (plane.astype(int) for plane in planes)
    samples = np.stack((red + green - 128, green, blue + green - 128), axis=-1)
    return (samples & 255).astype(np.uint8)
