"""The checker of the built site sees what is broken, and the project's settings hang together."""

import re
import tomllib
from unittest.mock import Mock

import pytest
import yaml
from sphinx.builders import linkcheck

from tools import build_book, setup_cell
from tools.check_site import Site
from tools.setup_cell import ROOT

PAGE = '<html><head><title>T</title></head><body><article><h1 id="top">T</h1>{}</article></body></html>'


def problems(folder, body: str, **files: str) -> list[str]:
    """Write a page with this body, and these files, and return what the checker says."""
    (folder / "page.html").write_text(PAGE.format(body), encoding="utf-8")
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(content, encoding="utf-8")
    return Site(folder).problems()


def test_a_sound_page_has_no_problems(tmp_path):
    body = (
        '<a href="other.html#top">x</a><a href="#top">x</a><a href="https://example.org">x</a>'
        '<img src="a.png" alt="A curve"><script src="a.js"></script>'
    )
    files = {"other_html": PAGE.format(""), "a_png": "", "a_js": ""}
    assert problems(tmp_path, body, **files) == []


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ('<a href="gone.html">x</a>', "links to a file that is not there"),
        ('<a href="#gone">x</a>', "links to an anchor that is not there"),
        ('<img src="gone.png" alt="A curve">', "loads a file that is not there"),
        ('<img src="data:image/png;base64,AA==">', "without alt text"),
        ('<img src="data:image/png;base64,AA==" alt="../_images/3f.png">', "without alt text"),
        ('<svg><g data-src="gone.webp"></g></svg>', "loads a file that is not there"),
        ('<script src="https://cdn.example.org/a.js"></script>', "another host: https://cdn"),
        ('<link rel="stylesheet" href="//cdn.example.org/a.css">', "another host"),
        ('<p style="background: url(https://example.org/a.png)">x</p>', "another host"),
        ("<style>@import 'https://example.org/a.css'</style>", "another host"),
        ("<h1>again</h1>", "2 main headings"),
    ],
)
def test_the_checker_finds(tmp_path, body, complaint):
    found = problems(tmp_path, body)
    assert len(found) == 1
    assert complaint in found[0]


def test_the_checker_looks_into_style_sheets(tmp_path):
    found = problems(tmp_path, "", a_css="@font-face { src: url(https://example.org/a.woff2) }")
    assert found == ["a.css loads from another host: https://example.org/a.woff2"]


def test_a_page_without_a_title_is_a_problem(tmp_path):
    (tmp_path / "page.html").write_text("<article><h1>x</h1></article>")
    assert Site(tmp_path).problems() == ["page.html has no title"]


def test_an_empty_site_is_a_problem(tmp_path):
    assert Site(tmp_path).problems()


def test_a_fork_builds_with_its_own_address():
    environment = {"GITHUB_REPOSITORY": "ada/fork", "GITHUB_SERVER_URL": "https://github.com"}
    config = build_book.effective_config(ROOT, environment)
    assert config["repository"]["url"] == "https://github.com/ada/fork"


def test_elsewhere_the_address_is_that_of_pyproject():
    config = build_book.effective_config(ROOT, {})
    assert config["repository"]["url"] == setup_cell.repository_url()
    assert config["repository"]["branch"] == "main"
    # Colab links carry the folder twice when this is set.
    assert config["repository"]["path_to_book"] == ""


def test_the_address_is_written_in_one_place():
    """Only the citation file and the notebooks' setup cell repeat it, and these are checked."""
    url = setup_cell.repository_url()
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["repository-code"] == url
    names = ["README.md", "CONTRIBUTING.md", "Makefile", "_config.yml", "_toc.yml"]
    paths = [ROOT / name for name in names]
    for folder in ("book/*.md", "tools/*.py", "codec_lib/**/*.py", ".github/workflows/*.yml"):
        paths += ROOT.glob(folder)
    assert [path.name for path in paths if url in path.read_text(encoding="utf-8")] == []


def test_every_page_of_the_toc_exists_and_every_page_is_in_the_toc():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = {toc["root"]} | {item["file"] for part in toc["parts"] for item in part["chapters"]}
    found = {
        path.relative_to(ROOT).with_suffix("").as_posix()
        for path in (ROOT / "book").iterdir()
        if path.suffix in (".md", ".ipynb")
    }
    assert found == listed


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_is_well_formed(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["name"]
    assert workflow[True], "YAML reads the key `on` as true"
    assert workflow["permissions"]
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 90
        assert job["steps"]
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            assert "@" in step.get("uses", "@")


def test_the_workflows_are_all_there():
    assert {path.stem for path in WORKFLOWS} == {"test", "deploy", "linkcheck", "colab"}


def test_the_settings_of_the_link_check_are_those_that_sphinx_has():
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]
    known, app = set(), Mock()
    app.add_config_value = lambda name, *_, **__: known.add(name)
    linkcheck.setup(app)
    given = {name for name in settings if name.startswith("linkcheck_")}
    assert given
    assert given <= known
    ignored = [re.compile(pattern) for pattern in settings["linkcheck_ignore"]]
    for address, is_ignored in (
        ("http://localhost:8000", True),
        ("https://doi.org/10.1109/TIP.2020.1", True),
        ("https://arxiv.org/abs/1802.01436", False),
        ("https://github.com/", False),
    ):
        assert any(pattern.match(address) for pattern in ignored) == is_ignored, address


def test_every_target_of_the_help_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"@echo \"make ([\w-]+)", makefile):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_library_has_no_upper_pins():
    with open(ROOT / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    extras = [item for group in project["optional-dependencies"].values() for item in group]
    for requirement in [*project["dependencies"], *extras]:
        assert not re.search(r"[<~!]|==", requirement), requirement
