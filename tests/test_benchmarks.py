"""What every benchmark does alike: name its command, and refuse to mix measurements."""

import json
import subprocess

import pytest

from benchmarks import renew, results


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
    with pytest.raises(SystemExit, match="made with steps None, and not 300; measure all of it anew"):
        results.begin(path, {"cpu": "this one", "steps": 300})


def test_a_renewal_begins_without_the_earlier_file_and_goes_on_with_its_own(monkeypatch, tmp_path):
    own, earlier = tmp_path / "results" / "kodak.json", tmp_path / "earlier" / "kodak.json"
    for name, folder in (("RESULTS", own.parent), ("RUNS", tmp_path), ("EARLIER", earlier.parent)):
        folder.mkdir(exist_ok=True)
        monkeypatch.setattr(renew, name, folder)
    results.write(own, {"command": "python -m benchmarks.kodak", "rows": ["old"]})
    found = []

    monkeypatch.setattr(renew, "fingerprint", lambda name: state)
    state = "as it was"

    def measured(ends):
        def run(command, **_):
            found.append(own.read_text(encoding="utf-8") if own.exists() else None)
            own.write_text(f"rows {len(found)}", encoding="utf-8")
            return subprocess.CompletedProcess(command, ends)

        monkeypatch.setattr(subprocess, "run", run)
        return renew.run("kodak")

    assert not measured(1)
    assert not measured(1)
    own.write_bytes(earlier.read_bytes())  # somebody has put it back
    assert not measured(1)
    state = "with other weights"
    assert measured(0)
    assert found == [None, "rows 1", None, None]
    assert [path.name for path in earlier.parent.iterdir()] == []
    assert own.read_text(encoding="utf-8") == "rows 4"


def test_a_command_that_writes_nothing_renews_nothing(monkeypatch, tmp_path):
    own, earlier = tmp_path / "results" / "kodak.json", tmp_path / "earlier" / "kodak.json"
    for name, folder in (("RESULTS", own.parent), ("RUNS", tmp_path), ("EARLIER", earlier.parent)):
        folder.mkdir(exist_ok=True)
        monkeypatch.setattr(renew, name, folder)
    monkeypatch.setattr(renew, "fingerprint", lambda name: "as it was")
    results.write(own, {"command": "python -m benchmarks.kodak"})
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0))
    assert not renew.run("kodak")
    assert earlier.exists()
