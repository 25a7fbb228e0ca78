"""All measurements again: `make benchmark`, or `python -m benchmarks.renew [NAME ...] [--with-training]`.

Every file in results/ names the command that made it. This runs these commands one after another: `HOURS`
hours of work for two cores that do nothing else. Those that train models wait to be asked for. It can be
interrupted: what was renewed for the shipped weights is kept in runs/renewed.json and not done twice. A
command that keeps the rows of a file finds none when it begins, and its own when it goes on: until it has
ended well the earlier file is in runs/earlier. What it prints goes to runs/renewed.log.
"""

import argparse
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tqdm import tqdm

from benchmarks import machine, results
from codec_lib import decoders, weights
from codec_lib.header import VERSION

MINUTES = {  # about; quick ones first, and those before others that read their results
    "plotted_rates": 1, "large_picture": 3, "entropy_coders": 5, "seconds": 8, "folders": 10, "damage": 8,
    "kodak_baselines": 25, "kodak": 45, "kodak_summary": 1, "noise_rates": 10, "scoreboard": 12,
    "encoder_decisions": 10, "context": 20, "determinism": 25, "progressive": 30, "content_weighted": 20,
    "near_lossless_baselines": 10, "near_lossless": 25, "near_lossless_contexts": 10,
    "near_lossless_conditions": 10, "adaptive": 20, "perception": 12, "speed": 12, "effort": 25,
    "graphics": 10, "fitted": 90, "fitted_ablations": 40, "photographs": 45,
    "photographs_baselines": 30, "photographs_summary": 1,
}  # fmt: skip
TRAINING = {
    "training": 15, "training_trials": 45, "rate_of_symbols": 12, "variable_rate": 20,
    "codec_ablations": 60, "codec_in_the_loop": 30, "recurrent_ablations": 45,
    "content_weighted_ablations": 60, "near_lossless_ablations": 60,
}  # fmt: skip
HOURS = round(sum(MINUTES.values()) / 60)
RESULTS, RUNS = Path("results"), Path("runs")
EARLIER = RUNS / "earlier"
DATA = "../shared/data"  # as the commands have it; the environment variable CODEC_LIB_DATA replaces it


def main() -> int:
    parser = argparse.ArgumentParser(
        description=f"Renew what is in results/: about {HOURS} hours on two quiet cores, resumable."
    )
    known = MINUTES | TRAINING
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}; default all")
    parser.add_argument("--with-training", action="store_true", help="those too that train models")
    options = parser.parse_args()
    if unknown := set(options.names) - set(known):
        parser.error(f"{', '.join(sorted(unknown))}: not among {', '.join(known)}")
    names = options.names or [*MINUTES, *(TRAINING if options.with_training else ())]
    EARLIER.mkdir(parents=True, exist_ok=True)
    done_path = RUNS / "renewed.json"
    done = json.loads(done_path.read_text(encoding="utf-8")) if done_path.exists() else {}
    left = {name: known[name] for name in names if done.get(name) != fingerprint(name)}
    failed = []
    with tqdm(total=sum(left.values()), unit="min", bar_format="{l_bar}{bar}| {elapsed} {postfix}") as bar:
        for name, minutes in left.items():
            bar.set_postfix_str(name)
            if run(name):
                done[name] = fingerprint(name)
                results.write(done_path, done)
            else:
                failed.append(name)
            bar.update(minutes)
    if failed:
        print(f"failed: {', '.join(failed)}; see {RUNS / 'renewed.log'}", file=sys.stderr)
    return bool(failed)


def run(name: str) -> bool:
    """Whether a command ended well, which begins anew or goes on with what it has written for the same."""
    command, now = command_of(name), fingerprint(name)
    own, earlier, begun = RESULTS / f"{name}.json", EARLIER / f"{name}.json", EARLIER / f"{name}.begun"
    if not earlier.exists():
        shutil.move(own, earlier)
    elif not begun.exists() or begun.read_text(encoding="utf-8") != now or is_same(own, earlier):
        own.unlink(missing_ok=True)
    begun.write_text(now, encoding="utf-8")
    with open(RUNS / "renewed.log", "a", encoding="utf-8") as log:
        print(time.strftime("%F %T"), command, file=log, flush=True)
        data = os.environ.get("CODEC_LIB_DATA", DATA)
        arguments = [part.replace(DATA, data) for part in shlex.split(command)]
        ended = subprocess.run([sys.executable, *arguments[1:]], stdout=log, stderr=log)
    is_renewed = ended.returncode == 0 and own.exists()
    if is_renewed:
        earlier.unlink()
        begun.unlink()
    return is_renewed


def is_same(own: Path, earlier: Path) -> bool:
    """Whether somebody has put the earlier file back."""
    return own.exists() and own.read_bytes() == earlier.read_bytes()


def command_of(name: str) -> str:
    """The command that made a file in results/."""
    earlier = EARLIER / f"{name}.json"
    path = earlier if earlier.exists() else RESULTS / earlier.name
    return json.loads(path.read_text(encoding="utf-8"))["command"]


def fingerprint(name: str) -> str:
    """What a renewal depends on: command, code, machine, the files' format, all shipped weights."""
    digests = [weights.load(each).digest for each in weights.available()]
    digests += [hashlib.sha256(path.read_bytes()).hexdigest() for path in decoders.paths().values()]
    command = command_of(name)
    code = Path(*shlex.split(command)[2].split(".")).with_suffix(".py").read_text(encoding="utf-8")
    here = json.dumps(machine.here())
    return hashlib.sha256("\n".join([command, code, here, str(VERSION), *digests]).encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
