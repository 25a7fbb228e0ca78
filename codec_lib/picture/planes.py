"""What goes beside the colour into a file, as grey pictures: alpha, and the low bytes of 16 bits.

A plane is a PNG of 8 bits of grey and nothing else: a well-known lossless file inside ours, which any
tool opens. It is made from the bare samples, so that no profile, text or transparency of the picture
it comes from gets into it, and only what `pack` writes is read back: a PNG may also hold texts,
profiles and animations, each compressed on its own, and a decoder would unpack them.

Of 16 bits a sample, x = 256 high + low, the high byte is coded like any 8-bit picture. The plane
called low holds (low - high) mod 256, all channels side by side. A picture of 8 bits that was scaled
to 16, x = 257 high, leaves zeros there, and a wrong high byte, off by at most tau, makes x wrong by
at most 257 tau.

>>> plane = np.arange(6, dtype=np.uint8).reshape(2, 3)
>>> np.array_equal(unpack("alpha", pack("alpha", plane), 3, 2), plane)
True
>>> low_plane(np.array([[[257 * 7, 257 * 7 + 2]]], dtype=np.uint16))
array([[0, 2]], dtype=uint8)
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image, PngImagePlugin

from codec_lib.errors import BitstreamError, SectionError
from codec_lib.picture import png


def pack(name: str, plane: np.ndarray) -> bytes:
    """The bytes of a section: uint8 (H, W) as a PNG.

    Raises RuntimeError when the PNG does not read back, so that no such file is ever written.
    """
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(plane)).save(buffer, "PNG", optimize=True)
    data = buffer.getvalue()
    height, width = plane.shape
    if not np.array_equal(unpack(name, data, width, height), plane):
        raise RuntimeError(f"section {name}: {width} x {height} samples do not read back from their PNG")
    return data


def unpack(name: str, data: bytes, width: int, height: int) -> np.ndarray:
    """The uint8 (H, W) of a section that `pack` made; BitstreamError for anything else."""
    grey = struct.pack(">4sIIBBBBB", b"IHDR", width, height, 8, 0, 0, 0, 0)
    if not data.startswith(png.SIGNATURE + struct.pack(">I17sI", 13, grey, zlib.crc32(grey))):
        raise SectionError(name, f"no PNG of {width} x {height} with 8 bits of grey")
    chunks, pixels, position = [], [], len(png.SIGNATURE)
    while position < len(data):
        chunks.append(data[position + 4 : position + 8])
        size = int.from_bytes(data[position : position + 4], "big")
        pixels.append(memoryview(data)[position + 8 : position + 8 + size])
        position += 12 + size
    if chunks != [b"IHDR", *[b"IDAT"] * (len(chunks) - 2), b"IEND"] or position != len(data):
        raise SectionError(name, f"chunks {b' '.join(chunks)[:60]}; allowed is IHDR IDAT IEND")
    rows = height * (1 + width)
    try:
        if png.count(pixels[1:-1], rows) != (rows, True):
            raise SectionError(name, f"pixels of another length than {width} x {height}")
        # Not Image.open: its limit on pixels is the application's, and this size is checked already.
        with PngImagePlugin.PngImageFile(io.BytesIO(data)) as image:
            return np.array(image)
    except BitstreamError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, zlib.error) as error:
        raise SectionError(name, f"damaged PNG ({error})") from None


def low_plane(samples: np.ndarray) -> np.ndarray:
    """uint16 (H, W, C) to uint8 (H, C W): low byte less high byte, channel beside channel."""
    difference = (samples - (samples >> 8)).astype(np.uint8)  # modulo 256
    return difference.transpose(0, 2, 1).reshape(len(samples), -1)


def with_low(high: np.ndarray, plane: np.ndarray) -> np.ndarray:
    """uint16 (H, W, C) from the high bytes, uint8 (H, W, C), and what `low_plane` gave."""
    height, width, channels = high.shape
    low = high + plane.reshape(height, channels, width).transpose(0, 2, 1)  # modulo 256
    return (high.astype(np.uint16) << 8) | low
