"""The committed module is what its sources compile to; its weights are those that the library has."""

import json
import re
import subprocess
from dataclasses import replace

from codec_lib import container, weights
from tests.web.page import NODE
from tools import web, web_fitted, web_near_lossless, web_weights
from tools.setup_cell import ROOT

DESCRIBE = """
const module = new WebAssembly.Module(require("fs").readFileSync(process.argv[1]));
const describe = (list) => list.map(({ name, kind }) => `${kind} ${name}`);
console.log(JSON.stringify([describe(WebAssembly.Module.imports(module)),
  describe(WebAssembly.Module.exports(module))]));
"""


def test_a_rebuild_gives_the_committed_bytes(tmp_path):
    web.build(tmp_path / "codec.wasm")
    assert (tmp_path / "codec.wasm").read_bytes() == web.MODULE.read_bytes(), "run `make web`, and commit"


def test_another_source_gives_other_bytes(tmp_path, monkeypatch):
    """The control of the test above."""
    sources = tmp_path / "src"
    sources.mkdir()
    for path in (web.WEB / "src").iterdir():
        text = path.read_text().replace("#define SYMBOL_LIMIT 8192", "#define SYMBOL_LIMIT 8191")
        (sources / path.name).write_text(text)
    monkeypatch.setattr(web, "WEB", tmp_path)
    web.build(tmp_path / "codec.wasm")
    assert (tmp_path / "codec.wasm").read_bytes() != web.MODULE.read_bytes()


def test_the_sources_name_files_that_are_there():
    texts = "".join(path.read_text() for path in (web.WEB / "src").iterdir())
    named = set(re.findall(r"codec_lib/[\w/]+\.py", texts))
    assert len(named) > 10
    assert not [name for name in named if not (ROOT / name).is_file()]


def test_the_module_is_small_and_imports_nothing():
    assert web.MODULE.stat().st_size <= web.LARGEST
    done = subprocess.run([NODE, "-e", DESCRIBE, web.MODULE], check=True, capture_output=True, text=True)
    imports, exports = json.loads(done.stdout)
    assert imports == []
    assert {"memory memory", "function decode_start", "function encode_start"} <= set(exports)


def test_the_weights_carry_both_digests():
    trained = weights.load(web_weights.NAME)
    for content in web_weights.files().values():
        assert content[8:24].hex() == trained.digest + trained.probabilities
        assert int.from_bytes(content[4:8], "little") == len(content)


def test_names_of_weights_change_with_their_content(site):
    listed = json.loads((site / "weights.json").read_text())
    for name, content in {**web_weights.files(), **web_near_lossless.files(), **web_fitted.files()}.items():
        assert (site / listed[name]["file"]).read_bytes() == content
        assert listed[name]["bytes"] == len(content)
    digests = {entry["file"].rpartition("-")[2] for entry in listed.values()}
    assert len(digests) == len(listed) == 4


def test_files_of_other_weights_or_models_are_refused(page):
    golden = web.ROOT / "tests" / "golden" / "files"
    file = container.read((golden / "flagship-1.clc").read_bytes())
    for field in ("weights", "probabilities"):
        header = replace(file.header, **{field: "0123456789abcdef"})
        page.folder.joinpath(field).write_bytes(container.write(header, file.take()))
    page.folder.joinpath("other").write_bytes((golden / "hyperprior-1.clc").read_bytes())
    answers = page.ask({"decode": "weights"}, {"decode": "probabilities"}, {"decode": "other"})
    starts = [
        "weights: the file needs 0123456789abcdef",
        "probabilities: the file needs 012",
        "model: hyper",
    ]
    for answer, start in zip(answers, starts, strict=True):
        assert answer["refused"].startswith(start)


def test_the_page_says_how_large_it_is():
    text = (web.ROOT / "book" / "try.md").read_text(encoding="utf-8")
    assert f"[{web.MODULE.stat().st_size / 1000:.0f} kB module]" in text
    limit = re.search(r"MAX_PIXELS = 1 << (\d+)", (web.WEB / "codec.js").read_text(encoding="utf-8"))
    assert limit
    assert f"more than {(1 << int(limit[1])) // 10**6} megapixels" in text
    limit = re.search(r"limit = 1 << (\d+)", (web.WEB / "near_lossless.js").read_text(encoding="utf-8"))
    assert limit
    assert f"up to {(1 << int(limit[1])) // 10**6} megapixels" in text
