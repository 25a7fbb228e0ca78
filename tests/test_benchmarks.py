"""What every benchmark does alike: name its command, and refuse to mix measurements."""

import json

import pytest

from benchmarks import results


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    given = ["models", "--json", "results/kodak.json", "--only", "flagship", "--device", "cpu", "--note"]
    monkeypatch.setattr("sys.argv", ["benchmarks/kodak.py", *given, "beside other work"])


def test_a_command_has_every_option_but_what_narrows_it():
    expected = "python -m benchmarks.kodak models --json results/kodak.json --device cpu"
    assert results.command() == expected


def test_what_is_kept_was_made_with_the_same(tmp_path):
    path = tmp_path / "kodak.json"
    begun = results.begin(path, {"steps": 2, "widths": (3, 4)})
    assert begun == {"command": results.command(), "steps": 2, "widths": [3, 4]}
    results.write(path, begun | {"rows": [1]})
    assert results.begin(path, {"steps": 2, "widths": (3, 4)})["rows"] == [1]
    with pytest.raises(SystemExit, match="steps 2, and not 5"):
        results.begin(path, {"steps": 5})
    assert "rows" not in results.begin(path, {"steps": 5}, keep=False)


def test_a_file_claims_nothing_of_its_making_that_it_did_not_state(tmp_path):
    path = tmp_path / "kodak.json"
    path.write_text(json.dumps({"command": "another", "rows": []}), encoding="utf-8")
    assert results.begin(path, {"cpu": "this one"}) == {"command": results.command(), "rows": []}
