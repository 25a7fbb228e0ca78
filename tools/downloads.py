"""Make the notebooks that readers download from the site work on their own, and in a fork name the fork."""

import json
from pathlib import Path

from tools import setup_cell


def rewrite(notebook: dict, url: str) -> dict:
    """Give a notebook the setup cell of a download."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code" and "google.colab" in "".join(cell["source"]):
            cell["source"] = setup_cell.source_of_download(url)
    return notebook


def finish_downloads(site: Path, url: str) -> int:
    """Rewrite the notebooks of a built site, and the cells that its pages show; return how many."""
    paths = sorted((site / "_sources").rglob("*.ipynb"))
    for path in paths:
        notebook = rewrite(json.loads(path.read_text(encoding="utf-8")), url)
        path.write_text(json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    original, ours = (setup_cell.requirement(address) for address in (setup_cell.repository_url(), url))
    if original != ours:
        for path in site.rglob("*.html"):
            page = path.read_text(encoding="utf-8")
            path.write_text(page.replace(original, ours), encoding="utf-8")
    return len(paths)
