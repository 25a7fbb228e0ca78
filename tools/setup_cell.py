"""The one setup cell, and the one place that knows the repository's address.

The address is `project.urls.Repository` in pyproject.toml. The setup cell is the first code cell of
every notebook: it does nothing outside Colab, and there it installs the library without pinning or
downgrading anything. The copy that a reader downloads from the site lies outside the repository: its
cell also says what is missing, and in the site of a fork it names the fork.
"""

import os
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
BRANCH = "main"
TAG = "remove-cell"


def repository_url(root: Path = ROOT) -> str:
    """Return the address in pyproject.toml, without a trailing slash."""
    with open(root / "pyproject.toml", "rb") as file:
        return tomllib.load(file)["project"]["urls"]["Repository"].rstrip("/")


def effective_url(root: Path = ROOT, environment: dict[str, str] | None = None) -> str:
    """Return the address of what is being built: in GitHub Actions of a fork, the fork's."""
    environment = os.environ if environment is None else environment
    if name := environment.get("GITHUB_REPOSITORY"):
        return f"{environment.get('GITHUB_SERVER_URL', 'https://github.com')}/{name}"
    return repository_url(root)


def pages_url(url: str) -> str:
    """Return where GitHub serves the site of a repository; an empty string for another host."""
    parts = urlsplit(url)
    if parts.netloc != "github.com":
        return ""
    owner, name = parts.path.strip("/").split("/")
    return f"https://{owner.lower()}.github.io/{name}/"


def requirement(url: str) -> str:
    """Return what pip installs the library from."""
    return f"git+{url}@{BRANCH}"


def source(root: Path = ROOT) -> str:
    """Return the source of the setup cell."""
    return (
        "# In Colab: install the book's library. Elsewhere this cell does nothing.\n"
        "import sys\n\n"
        'if "google.colab" in sys.modules:\n'
        f'    %pip install -q "{requirement(repository_url(root))}"'
    )


def source_of_download(url: str) -> str:
    """Return the source of the setup cell in a notebook that is read without the repository."""
    return (
        "# In Colab: install the book's library. Elsewhere: say how, where it is missing.\n"
        "import importlib.util\nimport sys\n\n"
        'if "google.colab" in sys.modules:\n'
        f'    %pip install -q "{requirement(url)}"\n'
        'elif importlib.util.find_spec("codec_lib") is None:\n'
        f"    command = 'pip install scikit-image \"{requirement(url)}\"'\n"
        '    raise ModuleNotFoundError(f"This chapter needs the book\'s library: {command}")'
    )


if __name__ == "__main__":
    print(source())
