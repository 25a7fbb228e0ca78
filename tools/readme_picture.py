"""Make _static/readme.png: `python -m tools.readme_picture [output.png]`.

One crop of the shared photo three times: the original, JPEG, and the learned codec. The two files hold the
whole photo, and the learned one gets no more bytes than JPEG. Bytes and PSNR in the captions are those of
the whole photo and come from this run. Run it again after the weights have changed.
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import codec_lib as cl
from codec_lib import data
from codec_lib.measure import baselines, metrics

OUTPUT = Path(__file__).resolve().parents[1] / "_static" / "readme.png"
QUALITY = 1.5  # about: few enough bytes for a difference that a small picture shows
CROP = (130, 20, 310, 182)  # left, top, right, bottom in the photo
ZOOM = 2
GAP, CAPTION = 10, 36  # pixels


def render(quality: float = QUALITY) -> Image.Image:
    """Return the picture, 1100 x 360 RGB: three panels with captions on white."""
    photo = data.sample("astronaut")
    jpeg = baselines.at_size("jpeg", photo, len(cl.encode(photo, quality=quality)))
    learned = cl.encode(photo, target_bytes=len(jpeg))
    panels = [("original", photo)]
    for label, n_bytes, decoded in (
        ("JPEG", len(jpeg), Image.fromarray(baselines.decode("jpeg", jpeg))),
        ("learned", len(learned), cl.decode(learned)),
    ):
        panels.append((f"{label}: {n_bytes:,} bytes, {metrics.psnr(photo, decoded):.1f} dB", decoded))
    width, height = ZOOM * (CROP[2] - CROP[0]), ZOOM * (CROP[3] - CROP[1])
    sheet = Image.new("RGB", (3 * width + 2 * GAP, height + CAPTION), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=20)
    for k, (caption, panel) in enumerate(panels):
        left = k * (width + GAP)
        enlarged = panel.crop(CROP).resize((width, height), Image.Resampling.NEAREST)
        sheet.paste(enlarged, (left, 0))
        draw.text((left + 2, height + 6), caption, fill="black", font=font)
    return sheet


if __name__ == "__main__":
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT
    render().save(output, optimize=True)
    print(f"{output}: {output.stat().st_size} bytes")
