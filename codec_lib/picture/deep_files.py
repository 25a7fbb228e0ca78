"""PNG and TIFF files of 16-bit colours, which Pillow does not write."""

import importlib
import io
from types import ModuleType

import numpy as np

from codec_lib.picture import png, tiff

WRITERS = {"PNG": "imagecodecs", "TIFF": "tifffile"}
XMP_TAG, BYTES = 700, 1  # of a TIFF file: its number, and the type of its values


def write(samples: np.ndarray, format: str, ending: str, info: dict[str, bytes]) -> tuple[bytes, set[str]]:
    """The bytes of a file, whose samples were checked by reading them again, and what of `info` is in it.

    Args:
        samples: uint16 (H, W, 2 to 4).
        format: one of `WRITERS`; `ending` is that of the file's name.
        info: what is to go into it, by Pillow's names. A TIFF does not get EXIF that cannot be read, and a
            PNG no XMP but in UTF-8.
    Raises:
        ValueError: the package that writes it is not there, or does not give the samples back.
    """
    writer, info = _writer(WRITERS[format], ending), dict(info)
    if format == "PNG":
        if not _is_utf8(info.get("xmp", b"")):
            del info["xmp"]
        data = png.with_metadata(bytes(writer.png_encode(samples)), info)
        again = writer.png_decode(data)
    else:
        xmp = info.get("xmp")
        file = io.BytesIO()
        writer.imwrite(
            file,
            samples,
            photometric="rgb" if samples.shape[2] > 2 else "minisblack",
            extrasamples=["unassalpha"] if samples.shape[2] in (2, 4) else [],
            planarconfig="contig",
            metadata=None,
            iccprofile=info.get("icc_profile"),
            extratags=[(XMP_TAG, BYTES, len(xmp), xmp, True)] if xmp else [],
        )
        data = file.getvalue()
        if "exif" in info:
            try:
                data = tiff.with_exif(data, info["exif"])
            except ValueError:
                del info["exif"]
        again = writer.imread(io.BytesIO(data))
    if not np.array_equal(samples, again):
        raise ValueError(f"ending: {ending} does not give the samples back that were written")
    return data, set(info)


def _writer(name: str, ending: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ValueError(f"ending: {ending} with colours of 16 bits needs `pip install {name}`") from None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
