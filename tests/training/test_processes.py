"""Several processes and machines: they stay in step, and one that is killed costs a little time."""

import csv
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from codec_lib import data
from codec_lib.models import architecture

pytest.importorskip("lightning_fabric")
pytest.importorskip("pytorch_optimizer")

SCRIPT = """
import os, sys, torch
from pathlib import Path
from codec_lib.models import architecture
from codec_lib.training.loop import train
from codec_lib.training.settings import Settings

pictures, out, steps, check_minutes = sys.argv[1:]
Path(out, "pid").write_text(str(os.getpid()))
kept = []

def build(**widths):
    kept.append(architecture("hyperprior")(**widths))
    return kept[0]

train(Settings("hyperprior", [pictures], out, steps=int(steps), batch=2, crop=64, widths={"N": 4, "M": 6},
               device="cpu", precision="32-true", check_minutes=float(check_minutes)), build)
torch.save(kept[0].state_dict(), Path(out) / f"{os.environ['RANK']}.pt")
"""


@pytest.fixture
def script(tmp_path):
    """What each process runs, and its pictures."""
    path, pictures = tmp_path / "main.py", tmp_path / "pictures"
    path.write_text(SCRIPT)
    pictures.mkdir()
    for k in range(3):
        data.sample("astronaut").crop((100 * k, 0, 100 * k + 150, 150)).save(pictures / f"{k}.png")
    return [str(path), str(pictures)]


def start(script, out, steps, check_minutes, *options):
    """A `torchrun`, as one machine has it."""
    out.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "torch.distributed.run", *options, *script]
    command += [str(out), str(steps), str(check_minutes)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def finished(run):
    output, _ = run.communicate(timeout=100)
    assert run.returncode == 0, output[-2000:]


def assert_equal_and_trained(first, second):
    """The weights of two processes are the same, and not those that they began with."""
    first, second = (torch.load(path, weights_only=True) for path in (first, second))
    torch.manual_seed(0)
    untrained = architecture("hyperprior")(N=4, M=6).state_dict()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    assert not torch.equal(first["g_a.0.weight"], untrained["g_a.0.weight"])


def test_two_processes_end_with_the_same_weights(script, tmp_path):
    """Each trains on crops of its own; averaged gradients keep the weights equal. Each step is checked."""
    out = tmp_path / "out"
    finished(start(script, out, 3, 0, "--nproc-per-node", "2", "--master-port", str(free_port())))
    assert_equal_and_trained(out / "0.pt", out / "1.pt")
    rows = list(csv.DictReader((out / "log.csv").read_text().splitlines()))
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 3]


def test_two_machines_go_on_after_one_was_killed(script, tmp_path):
    """They share no folder: the one without the checkpoint gets that of the other."""
    outs, steps = [tmp_path / "first", tmp_path / "second"], 150

    def begin():
        options = ["--nnodes", "2", "--nproc-per-node", "1", "--master-port", str(free_port())]
        return [
            start(script, out, steps, 0.01, *options, "--node-rank", str(k)) for k, out in enumerate(outs)
        ]

    runs = begin()
    wait_for(outs, "last.ckpt", runs)
    kill(runs[1], outs[1])
    runs[0].communicate(timeout=100)
    assert runs[0].returncode  # alone it cannot go on
    (outs[0] / "last.ckpt").rename(outs[1] / "last.ckpt")  # the machines change places
    for run in begin():
        finished(run)
    kept = sorted(path for out in outs for path in out.glob("?.pt"))
    assert len(kept) == 2
    assert_equal_and_trained(*kept)
    logs = [(out / "log.csv").read_text().splitlines() for out in outs if (out / "log.csv").exists()]
    numbers = [[int(row["step"]) for row in csv.DictReader(log)] for log in logs]
    assert max(map(max, numbers)) == steps
    assert all(log == sorted(log) for log in numbers)  # nothing began anew


def kill(run, out):
    """A machine that goes: `torchrun`, and the process that it has put into a group of its own."""
    for pid in (run.pid, int((out / "pid").read_text())):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    run.wait()


def wait_for(folders: list[Path], name: str, runs):
    for _ in range(1200):
        if any((folder / name).exists() for folder in folders):
            return
        assert all(run.poll() is None for run in runs), runs[0].communicate()[0][-2000:]
        time.sleep(0.1)
    raise AssertionError(f"no {name} after 120 s")
