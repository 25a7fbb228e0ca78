"""Several processes and machines: they stay in step, and one that is killed costs a little time."""

import csv
import json
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
from codec_lib.training.loop import schedule
from codec_lib.training.objectives import drawn_qualities, rate_distortion
from codec_lib.training.settings import Settings

pytest.importorskip("lightning_fabric")
pytest.importorskip("pytorch_optimizer")

SCRIPT = Path(__file__).with_name("several.py")
NOISE = 7  # the seed of a descent's noise, as in several.py
HYPERPRIOR = {"model": "hyperprior", "widths": {"N": 4, "M": 6}}
NEAR_LOSSLESS = {"model": "near-lossless", "widths": {"N": 8, "M": 16, "C": 16}}
ITERATIVE = {"N": 4, "M": 32, "K": 8}
RUNS = {  # each kind of objective, with each of its parts that is trained alone
    "hyperprior": {**HYPERPRIOR, "precision": "bf16-mixed", "steps": 3, "check_minutes": 0},
    "descent": {**HYPERPRIOR, "steps": 1},
    "near-lossless": NEAR_LOSSLESS,
    "correction": {**NEAR_LOSSLESS, "only": ["prior.corrected"]},
    "recurrent": {"model": "recurrent", "widths": ITERATIVE},
    "prior": {"model": "recurrent", "widths": ITERATIVE, "only": ["prior"]},
    "primed": {"model": "primed", "widths": ITERATIVE},
    "recurrent-gdn": {"model": "recurrent-gdn", "widths": ITERATIVE},
    "importance-map": {"model": "importance-map", "widths": {"N": 32, "n": 16, "L": 16, "K": 8}},
    "conditional-probability": {"model": "conditional-probability", "widths": {"N": 32, "C": 16, "K": 8}},
    "pyramid": {"model": "pyramid", "widths": {"N": 16, "C": 8, "K": 8, "scales": 2}},
    "codec-in-the-loop": {"model": "codec-in-the-loop", "widths": {"K": 8, "D": 3}},
    "ms-ssim": {**HYPERPRIOR, "goal": "ms-ssim", "only": ["g_s"], "crop": 192},
    "patches": {**HYPERPRIOR, "goal": "patches", "only": ["g_s"], "crop": 192},
    "pairs": {**HYPERPRIOR, "goal": "pairs", "only": ["g_s"], "crop": 192},
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for k in range(3):
        data.sample("astronaut").crop((100 * k, 0, 100 * k + 200, 200)).save(folder / f"{k}.png")
    return folder


@pytest.fixture(scope="module")
def pair(pictures, tmp_path_factory):
    """What two processes have left that made all of `RUNS`: to start them takes longer than any run."""
    out = tmp_path_factory.mktemp("pair")
    defaults = {"steps": 2, "batch": 1, "crop": 64, "precision": "32-true"}
    runs = {name: {**defaults, **options} for name, options in RUNS.items()}
    finished(start(pictures, out, runs, "--nproc-per-node", "2", "--master-port", str(free_port())))
    return out


def start(pictures, out, runs, *options):
    """A `torchrun`, as one machine has it."""
    out.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "torch.distributed.run", *options, str(SCRIPT)]
    command += [str(pictures), str(out), json.dumps(runs)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def finished(run):
    output, _ = run.communicate(timeout=600)
    assert run.returncode == 0, output[-2000:]


def left(out, name="{}"):
    """What the first and the second process have left."""
    return [torch.load(out / name.format(rank), weights_only=True) for rank in (0, 1)]


def assert_equal(first, second, name=""):
    """Two trees of tensors and numbers are the same."""
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            assert_equal(first[key], second[key], f"{name}.{key}")
    else:
        assert torch.equal(torch.as_tensor(first), torch.as_tensor(second)), name


def untrained():
    torch.manual_seed(0)
    return architecture("hyperprior")(**HYPERPRIOR["widths"])


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_end_with_the_same_state(pair, name):
    """Each trains on crops of its own; what they take from them is the same in both."""
    assert not torch.equal(*left(pair, "x.{}.pt"))
    first, second = left(pair, name + "/{}.pt")
    assert_equal(first, second)


def test_each_step_is_checked_and_trains(pair):
    rows = list(csv.DictReader((pair / "hyperprior" / "log.csv").read_text().splitlines()))
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 3]
    state, _ = left(pair, "hyperprior/{}.pt")
    assert not torch.equal(state["model"]["g_a.0.weight"], untrained().g_a[0].weight)


def test_a_step_is_that_of_the_mean_gradient_of_both_batches(pair):
    gradients = []
    for x in left(pair, "x.{}.pt"):
        model = untrained().train()
        torch.manual_seed(NOISE)
        loss, _ = rate_distortion(model, x, drawn_qualities(x, Settings("hyperprior", [], "")))
        loss.backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    begin = torch.cat([p.detach().flatten() for p in untrained().parameters()])
    state, _ = left(pair, "descent/{}.pt")
    step = begin - torch.cat([state["model"][name].flatten() for name, _ in untrained().named_parameters()])

    def is_step_of(gradient):
        clipped = gradient / max(1.0, gradient.norm())
        return torch.allclose(step, schedule(0, 0) * clipped, rtol=1e-3, atol=1e-7)

    assert is_step_of((gradients[0] + gradients[1]) / 2)
    assert not is_step_of(gradients[0])
    assert not is_step_of(gradients[1])


def test_a_gradient_that_one_process_lacks_is_0_there_and_one_that_both_lack_stays_none(pair):
    for kept in left(pair, "shared.{}.pt"):
        both, of_one, of_none = kept["gradients"]
        assert both.tolist() == [1.5, 2.0]
        assert of_one.tolist() == [1.5, 2.0]
        assert of_none is None
        assert kept["seen"].tolist() == [0, 10, 1, 10]


def test_a_discriminator_that_is_right_in_one_of_two_processes_is_right_half_of_the_time(pair):
    assert [kept["accuracy"] for kept in left(pair, "shared.{}.pt")] == [0.5, 0.5]


def test_two_machines_go_on_after_one_was_killed(pictures, tmp_path):
    """They share no folder: the one without the checkpoint gets that of the other."""
    outs, steps = [tmp_path / "first", tmp_path / "second"], 150
    runs = {"run": {**HYPERPRIOR, "steps": steps, "batch": 2, "crop": 64, "check_minutes": 0.01}}

    def begin():
        options = ["--nnodes", "2", "--nproc-per-node", "1", "--master-port", str(free_port())]
        return [start(pictures, out, runs, *options, "--node-rank", str(k)) for k, out in enumerate(outs)]

    machines = begin()
    wait_for(outs, "run/last.ckpt", machines)
    kill(machines[1], outs[1])
    machines[0].communicate(timeout=100)
    assert machines[0].returncode  # alone it cannot go on
    (outs[0] / "run" / "last.ckpt").rename(outs[1] / "run" / "last.ckpt")  # the machines change places
    for machine in begin():
        finished(machine)
    kept = [torch.load(path, weights_only=True) for out in outs for path in out.glob("run/?.pt")]
    assert_equal(*kept)
    assert not torch.equal(kept[0]["model"]["g_a.0.weight"], untrained().g_a[0].weight)
    logs = [path.read_text().splitlines() for out in outs for path in out.glob("run/log.csv")]
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
