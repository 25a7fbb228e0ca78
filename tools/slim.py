"""Leave out of the built site what no page of it uses.

The theme's style sheets are made for every site, and its icons come as two thousand drawings in a
script. `slim` drops the rules whose classes and names no page and no script mentions, and cuts the
icon fonts down to the icons that are left. A rule goes only when it cannot match: what is asked about
attributes, states and elements inside `:not()` and `:is()` is left alone.
"""

import io
import re
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

WORD = re.compile(r"[\\\w-]+")
# One piece of a style sheet: a string, a comment, or a sign that structures it.
PIECE = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|/\*.*?\*/|[{};]|[^{};"'/]+|/""", re.DOTALL)
NAME = re.compile(r"[.#]((?:\\.|[\w-])+)")
INNER = re.compile(r"\((?:[^()]|\([^()]*\))*\)|\[[^\]]*\]")
NESTING = ("@media", "@supports", "@layer", "@container")
FONT = re.compile(
    r"url\([^)]*/(fa-[\w-]+)\.woff2\) format\(\"woff2\"\),url\([^)]*\.ttf\) format\(\"truetype\"\)"
)
ICON = re.compile(r"""content:\s*"\\(f[0-9a-f]{3})\"""")


def rules(css: str) -> list[tuple[str, str | None]]:
    """Split a style sheet, or the inside of a block, into (what stands before the block, the block)."""
    found, prelude, block, depth = [], "", "", 0
    for piece in PIECE.findall(css):
        if piece.startswith("/*"):
            continue
        if piece == "{":
            depth += 1
            block += piece if depth > 1 else ""
        elif piece == "}":
            depth -= 1
            if depth:
                block += piece
            else:
                found.append((prelude.strip(), block))
                prelude = block = ""
        elif depth:
            block += piece
        elif piece == ";":
            found.append((prelude.strip(), None))  # @charset, @import
            prelude = ""
        else:
            prelude += piece
    return found


def can_match(selector: str, words: set[str]) -> bool:
    """Return whether everything that a selector names is mentioned somewhere."""
    names = NAME.findall(INNER.sub("", selector))
    return all(re.sub(r"\\(.)", r"\1", name) in words for name in names)


def alternatives(prelude: str) -> list[str]:
    """The selectors of a list, split at commas outside of brackets."""
    parts, depth = [""], 0
    for sign in prelude:
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def prune(css: str, words: set[str]) -> str:
    """Return a style sheet without the rules that cannot match."""
    kept = []
    for prelude, block in rules(css):
        if block is None:
            kept.append(f"{prelude};")
        elif prelude.startswith(NESTING):
            if inside := prune(block, words):
                kept.append(f"{prelude}{{{inside}}}")
        elif prelude.startswith("@"):
            kept.append(f"{prelude}{{{block}}}")
        else:
            if alive := [part for part in alternatives(prelude) if can_match(part, words)]:
                kept.append(f"{','.join(alive)}{{{block}}}")
    return "".join(kept)


def cut_font(path: Path, characters: set[int]) -> bytes:
    """Return a TrueType font with these characters only, as WOFF."""
    font = TTFont(path)
    options = subset.Options(flavor="woff", layout_features=[], notdef_outline=True)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=characters)
    cutter.subset(font)
    buffer = io.BytesIO()
    font.flavor = "woff"
    font.save(buffer)
    return buffer.getvalue()


def cut_icons(css: str, fonts: Path) -> str:
    """Cut the icon fonts that a style sheet loads down to its icons; return it with their new names."""
    icons = {int(code, 16) for code in ICON.findall(css)}

    def cut(match: re.Match) -> str:
        name = match[1]
        (fonts / f"{name}.woff").write_bytes(cut_font(fonts / f"{name}.ttf", icons))
        return match[0].split("/fa-")[0] + f'/{name}.woff) format("woff")'

    return FONT.sub(cut, css)


def slim(site: Path) -> tuple[int, int]:
    """Slim down the style sheets and icons of a site; return the bytes of style before and after."""
    static = site / "_static"
    for path in {*static.rglob("*.map"), *static.glob("scripts/fontawesome*")}:
        path.unlink()
    words: set[str] = set()
    for path in [*site.rglob("*.html"), *static.rglob("*.js")]:
        words.update(WORD.findall(path.read_text(encoding="utf-8")))
    fonts = static / "vendor" / "fontawesome" / "webfonts"
    before = after = 0
    for path in sorted(static.rglob("*.css")):
        css = path.read_text(encoding="utf-8")
        slimmer = cut_icons(prune(css, words), fonts)
        path.write_text(slimmer, encoding="utf-8")
        before, after = before + len(css), after + len(slimmer)
    for path in [*fonts.glob("*.ttf"), *fonts.glob("*.woff2")]:
        path.unlink()
    return before, after
