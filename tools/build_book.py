"""Build the book: `python -m tools.build_book [--builder linkcheck]`.

Writes the effective configuration (_config.yml plus the repository's address) under _build, runs
Jupyter Book with warnings as errors, and finishes the site: formulas are typeset, unused styles go, the
page's codec is put beside it. A page loads nothing but the book's own files.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from tools import (
    api_pages,
    citations,
    curve_page,
    downloads,
    equations,
    formulas,
    landing,
    share_picture,
    slim,
    touch_up,
    web,
)
from tools.setup_cell import ROOT, effective_url, pages_url


def effective_config(root: Path = ROOT, environment: dict[str, str] | None = None) -> dict:
    """Return _config.yml with the address of the repository that is being built filled in."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    url = effective_url(root, environment)
    config.setdefault("repository", {})["url"] = url
    config.setdefault("html", {})["baseurl"] = pages_url(url)
    return config


def front_page(site: Path) -> str:
    """Return the page at the site's root, whose address people share: it leads to the book's first page."""
    head = (site / "book" / "index.html").read_text(encoding="utf-8").split("</head>")[0]
    kept = re.findall(r"<title>.*?</title>|<meta (?:name|property)=\"(?:desc|og:|twitter:)[^>]*>", head)
    return "\n".join(
        (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta http-equiv="refresh" content="0; url=book/index.html">',
            '<link rel="icon" href="_static/logo.svg" type="image/svg+xml">',
            *kept,
            '</head>\n<body><p><a href="book/index.html">Learned Image Compression</a></p></body>',
            "</html>\n",
        )
    )


def finish(site: Path, config: dict) -> None:
    """Make the pages that Sphinx wrote light and complete."""
    macros = config["sphinx"]["config"]["mathjax3_config"]["tex"]["macros"]
    count = formulas.typeset(site, macros)
    touch_up.touch_up(site)
    before, after = slim.slim(site)
    web.publish(site / "_static" / "codec")
    curve_page.publish(site)
    numbered = equations.number_references(site)
    cited = citations.link_citations(site)
    downloads.finish_downloads(site, config["repository"]["url"])
    share_picture.render().save(site / "_static" / "share.png")
    (site / "index.html").write_text(front_page(site), encoding="utf-8")
    (site / ".nojekyll").touch()
    print(f"{count} formulas typeset, {cited} citations and {numbered} references to equations linked")
    print(f"{after:,} of {before:,} bytes of style kept")


def build(root: Path = ROOT, builder: str = "html") -> int:
    """Run Jupyter Book over `root` and return its exit status."""
    target = root / "_build"
    # Stale pages of chapters that were renamed would pass the link check: start from nothing.
    for folder in (builder, ".doctrees"):
        shutil.rmtree(target / folder, ignore_errors=True)
    target.mkdir(exist_ok=True)
    effective = effective_config(root)
    config = target / "effective_config.yml"
    config.write_text(yaml.safe_dump(effective, sort_keys=False), encoding="utf-8")
    landing.render(root)
    curve_page.render(root)
    api_pages.write(root)
    toc = target / "effective_toc.yml"
    listed = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    toc.write_text(yaml.safe_dump(api_pages.with_pages(listed, root), sort_keys=False), encoding="utf-8")
    program = Path(sys.executable).with_name("jupyter-book")
    command = [str(program), "build", str(root), "--config", str(config), "--toc", str(toc)]
    # As "linkcheck" Jupyter Book would know it and write into the folder of the built pages.
    kind = ["html"] if builder == "html" else ["custom", "--custom-builder", builder]
    command += ["--builder", *kind, "-n", "--keep-going"]
    if builder == "html":
        command.append("-W")
    # The root on the path: Sphinx loads the extension tools.docstrings.
    environment = {**os.environ, "PYTHONPATH": str(root)}
    status = subprocess.run(command, cwd=root, env=environment).returncode
    if status == 0 and builder == "html":
        finish(target / "html", effective)
        print(f"The book is built. Open {(target / 'html' / 'index.html').as_uri()}")
    return status


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--builder", choices=["html", "linkcheck"], default="html")
    sys.exit(build(builder=parser.parse_args().builder))
