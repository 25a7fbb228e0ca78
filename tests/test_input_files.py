"""Files and streams are read whole, and what has no end is refused."""

import contextlib
import os
import threading

import pytest

import codec_lib as cl
from codec_lib import files
from tests.process import run

CONTENT = os.urandom(3 * files.PIECE + 1)
READ_A_LITTLE = """
files.LONGEST = 3_000_000
try:
    files.read("-")
except ValueError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("count", [0, 1, files.PIECE, len(CONTENT)])
def test_a_file_and_a_pipe_and_standard_input_are_read_whole(tmp_path, count):
    path, pipe, data = tmp_path / "file", tmp_path / "pipe", CONTENT[:count]
    path.write_bytes(data)
    assert files.read(path) == data
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[data], daemon=True)
    writer.start()
    assert files.read(pipe) == data
    writer.join()
    assert run("files.write('-', files.read('-'))", input=data).stdout == data


def test_a_stream_without_an_end_is_refused_once_it_is_too_long():
    with open("/dev/zero", "rb") as endless:
        done = run(READ_A_LITTLE, stdin=endless)
    assert (done.returncode, done.stderr) == (1, b"input: - has more than 3000000 bytes\n")


def test_what_cannot_be_read_is_said_in_one_line(tmp_path):
    for path, kind in ((tmp_path, "folder"), ("/dev/null", "device")):
        with pytest.raises(ValueError, match=rf"^input: .* is a {kind}, expected a file$"):
            files.read(path)
    with pytest.raises(FileNotFoundError, match=r"^input: .*/gone: No such file or directory$"):
        files.read(tmp_path / "gone")


def test_a_picture_from_a_pipe_without_an_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LONGEST", 3_000_000)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def endless() -> None:
        with contextlib.suppress(BrokenPipeError), open(pipe, "wb") as file:
            while True:
                file.write(bytes(files.PIECE))

    writer = threading.Thread(target=endless, daemon=True)
    writer.start()
    with pytest.raises(ValueError, match=r"^image: .* has more than 3000000 bytes$"):
        cl.encode(pipe, "hyperprior")
    writer.join()
