"""Files are written whole or not at all, and what is no file is written through."""

import os
import shutil
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from codec_lib import files
from tests.process import run

OLD, NEW = b"old", b"new" * 50_000


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


PRINT = """
try:
    files.write("-", b"x" * 1_000_000)
except OSError as error:
    sys.exit(str(error))
"""


NO_STREAMS = """
sys.stdin = sys.stdout = None
for use in (lambda: files.read("-"), lambda: files.write("-", b"")):
    try:
        use()
    except OSError as error:
        print(error, file=sys.stderr)
"""


def only(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_and_read_again(tmp_path):
    files.write(tmp_path / "a", NEW)
    assert files.read(str(tmp_path / "a")) == NEW
    assert only(tmp_path) == ["a"]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path, umask):
    run("files.write(sys.argv[1], b'')", tmp_path / "a", umask=umask)
    assert mode_of(tmp_path / "a") == 0o666 & ~umask


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o755])
def test_a_file_keeps_its_permissions(tmp_path, mode):
    path = tmp_path / "a"
    path.touch()
    path.chmod(mode)
    files.write(path, NEW)
    assert (path.read_bytes(), mode_of(path)) == (NEW, mode)


def test_a_private_file_has_a_private_draft(tmp_path, monkeypatch):
    path, seen = tmp_path / "a", []
    path.write_bytes(OLD)
    path.chmod(0o600)
    monkeypatch.setattr(os, "fsync", lambda handle: seen.append(stat.S_IMODE(os.fstat(handle).st_mode)))
    files.write(path, NEW)
    assert seen == [0o600]


def test_the_draft_is_on_the_disk_before_it_takes_the_name(tmp_path, monkeypatch):
    path, calls = tmp_path / "a", []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *given, name=name, real=real: (calls.append(name), real(*given))
        )
    files.write(path, NEW)
    assert calls == ["fsync", "replace"]


def test_a_reader_of_the_old_file_goes_on_reading_it(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(OLD)
    with path.open("rb") as reader:
        files.write(path, NEW)
        assert reader.read() == OLD


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_and_its_target_is_replaced(tmp_path, exists):
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    if exists:
        target.write_bytes(OLD)
        target.chmod(0o640)
    link.symlink_to("folder/target")
    files.write(link, NEW)
    assert link.is_symlink()
    assert target.read_bytes() == NEW
    assert not exists or mode_of(target) == 0o640
    assert only(tmp_path / "folder") == ["target"]


def test_a_device_is_written_through(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("/dev/null")
    for path in (link, "/dev/null"):
        files.write(path, NEW)
    assert link.is_symlink()
    assert Path("/dev/null").is_char_device()


def test_a_named_pipe_is_written_through(tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    files.write(pipe, NEW)
    reader.join(10)
    assert got == [NEW]
    assert pipe.is_fifo()


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_standard_output_gets_the_bytes_after_what_was_printed(name):
    done = run("print('head')\nfiles.write(sys.argv[1], bytes(range(256)))", name)
    assert (done.returncode, done.stdout) == (0, b"head\n" + bytes(range(256)))


def test_standard_output_into_a_file_keeps_what_is_there(tmp_path):
    with (tmp_path / "a").open("wb") as file:
        os.write(file.fileno(), OLD)
        run("files.write('/dev/stdout', b'new')", stdout=file, check=True)
    assert (tmp_path / "a").read_bytes() == b"oldnew"


def test_a_reader_that_is_gone_is_one_line():
    read, write = os.pipe()
    os.close(read)
    done = run(PRINT, stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"output: -: Broken pipe\n")


def test_a_full_device_behind_standard_output_is_one_line():
    with open("/dev/full", "wb") as full:
        done = run(PRINT, stdout=full)
    assert (done.returncode, done.stderr) == (1, b"output: -: No space left on device\n")


def test_a_process_without_standard_streams_is_told_so():
    assert run(NO_STREAMS).stderr.splitlines() == [
        b"input: there is no standard input",
        b"output: -: there is no standard output",
    ]


def test_a_full_device_is_an_error():
    with pytest.raises(OSError, match=r"^output: /dev/full: No space left on device$"):
        files.write("/dev/full", NEW)


def test_a_file_that_gets_too_large_leaves_the_old_one(tmp_path):
    (tmp_path / "a").write_bytes(OLD)
    code = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
    code += "try: files.write(sys.argv[1], bytes(2000))\nexcept OSError as error: sys.exit(str(error))"
    done = run(code, tmp_path / "a")
    assert done.returncode == 1
    assert done.stderr.decode() == f"output: {tmp_path / 'a'}: File too large\n"
    assert (tmp_path / "a").read_bytes() == OLD
    assert only(tmp_path) == ["a"]


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of 64 KB; skips where the tests may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_the_old_file(tiny_disk):
    path = tiny_disk / "a"
    path.write_bytes(OLD)
    with pytest.raises(OSError, match=r"^output: .*/a: No space left on device$"):
        files.write(path, NEW)
    assert path.read_bytes() == OLD
    assert only(tiny_disk) == ["a"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    def interrupted(handle):
        raise KeyboardInterrupt

    (tmp_path / "a").write_bytes(OLD)
    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write(tmp_path / "a", NEW)
    assert (tmp_path / "a").read_bytes() == OLD
    assert only(tmp_path) == ["a"]


def refused(tmp_path: Path, case: str) -> tuple[str | Path, str]:
    """An output that cannot be written, and what is said about it."""
    path = tmp_path / "a"
    match case:
        case "folder":
            return tmp_path, "is a folder"
        case "name of a folder":
            return f"{path}{os.sep}", "is a folder"
        case "folder of a name":
            return f"{path}{os.sep}.", "is a folder"
        case "folder above a name":
            return f"{path}{os.sep}..", "is a folder"
        case "no folder":
            return path / "b", "there is no folder"
        case "link to no folder":
            path.symlink_to("gone/b")
            return path, "there is no folder"
        case "link to itself":
            path.symlink_to(path)
            return path, "leads to itself"
        case "read-only":
            path.write_bytes(OLD)
            path.chmod(0o444)
            return path, "is read-only"
        case "read-only folder":
            (tmp_path / "b").mkdir(mode=0o555)
            return tmp_path / "b" / "c", "is read-only"
        case "link to read-only":
            path.write_bytes(OLD)
            path.chmod(0o444)
            (tmp_path / "b").symlink_to(path)
            return tmp_path / "b", "is read-only"


CASES = [
    "folder", "name of a folder", "folder of a name", "folder above a name", "no folder",
    "link to no folder", "link to itself", "read-only", "read-only folder", "link to read-only",
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("write", [files.check_output, lambda path: files.write(path, NEW)])
def test_what_cannot_be_written_is_refused_in_one_line(tmp_path, case, write):
    path, complaint = refused(tmp_path, case)
    with pytest.raises(ValueError, match=rf"^output: .*{complaint}.*$"):
        write(path)


@pytest.mark.parametrize("path", ["-", "/dev/stdout", "/dev/null", Path("-")])
def test_standard_output_and_devices_are_not_refused(path):
    files.check_output(path)
    files.check_output(path, path)
    files.check_output("a new file of the present folder", path)


@pytest.mark.parametrize("other", ["same", "symbolic link", "hard link", "detour"])
def test_the_input_is_not_replaced(tmp_path, other):
    source, path = tmp_path / "a", tmp_path / "b"
    source.write_bytes(OLD)
    if other == "symbolic link":
        path.symlink_to(source)
    elif other == "hard link":
        path.hardlink_to(source)
    else:
        path = source if other == "same" else tmp_path / ".." / tmp_path.name / "a"
    with pytest.raises(ValueError, match=r"^output: .* is the input, expected another file$"):
        files.check_output(path, source)
    files.check_output(path)
    files.check_output(path, "-")
    files.check_output(path, tmp_path / "gone")
