"""The picture that stands beside a shared link to the book: its title over the README's comparison."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

COMPARISON = Path(__file__).resolve().parents[1] / "_static" / "readme.png"
SIZE = (1200, 630)  # what services that show such pictures expect
INK, QUIET, PAPER = "#14222d", "#4a5a66", "#ffffff"


def render() -> Image.Image:
    """Return the picture."""
    picture = Image.new("RGB", SIZE, PAPER)
    draw = ImageDraw.Draw(picture)
    draw.text((50, 52), "Learned Image Compression", INK, ImageFont.load_default(64))
    draw.text((52, 140), "An executable book, and a codec that runs", QUIET, ImageFont.load_default(34))
    with Image.open(COMPARISON) as comparison:
        picture.paste(comparison.convert("RGB"), ((SIZE[0] - comparison.width) // 2, 230))
    return picture
