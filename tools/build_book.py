"""Build the book: `python -m tools.build_book [--builder linkcheck]`.

Writes the effective configuration (_config.yml plus the repository's address) under _build, runs
Jupyter Book with warnings as errors, and copies MathJax and the page's codec into the site, so that a page
loads nothing but the book's own files.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from tools import web
from tools.setup_cell import ROOT, effective_url


def effective_config(root: Path = ROOT, environment: dict[str, str] | None = None) -> dict:
    """Return _config.yml with the address of the repository that is being built filled in."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    config.setdefault("repository", {})["url"] = effective_url(root, environment)
    return config


def vendor_mathjax(site: Path) -> None:
    """Copy MathJax's TeX-to-HTML bundle and its fonts into the site's _static/mathjax."""
    spec = importlib.util.find_spec("sphinx-mathjax-offline")
    if spec is None:
        raise SystemExit("sphinx-mathjax-offline is missing: pip install -r requirements.txt")
    bundle = Path(spec.origin).parent / "static" / "mathjax"
    target = site / "_static" / "mathjax"
    fonts = Path("output/chtml/fonts/woff-v2")
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(bundle / "tex-chtml-full.js", target)
    shutil.copytree(bundle / fonts, target / fonts, dirs_exist_ok=True)


def build(root: Path = ROOT, builder: str = "html") -> int:
    """Run Jupyter Book over `root` and return its exit status."""
    target = root / "_build"
    # Stale pages of chapters that were renamed would pass the link check: start from nothing.
    for folder in ("html", ".doctrees"):
        shutil.rmtree(target / folder, ignore_errors=True)
    target.mkdir(exist_ok=True)
    config = target / "effective_config.yml"
    config.write_text(yaml.safe_dump(effective_config(root), sort_keys=False), encoding="utf-8")
    program = Path(sys.executable).with_name("jupyter-book")
    command = [str(program), "build", str(root), "--config", str(config)]
    command += ["--builder", builder, "-n", "--keep-going"]
    if builder == "html":
        command.append("-W")
    # The root on the path: Sphinx loads the extension tools.docstrings.
    environment = {**os.environ, "PYTHONPATH": str(root)}
    status = subprocess.run(command, cwd=root, env=environment).returncode
    if status == 0 and builder == "html":
        vendor_mathjax(target / "html")
        web.publish(target / "html" / "_static" / "codec")
        (target / "html" / ".nojekyll").touch()
        print(f"The book is built. Open {(target / 'html' / 'index.html').as_uri()}")
    return status


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--builder", choices=["html", "linkcheck"], default="html")
    sys.exit(build(builder=parser.parse_args().builder))
