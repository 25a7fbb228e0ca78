"""What becomes of damaged files, and of damaged streams in four entropy coders.

    python -m benchmarks.damage --json results/damage.json

Files: for each kind of damage (`tools.damage`), how many were refused and by which check, how many
were intact after all ("equal": the damage hit nothing, the picture is right), and how many gave
another picture, which happens only behind checksums that were made right again. "failed" is every
broken claim and has to be zero. Coders: see `benchmarks.damaged_coders`.
"""

import argparse
import platform
from collections import Counter, defaultdict
from importlib.metadata import version
from pathlib import Path

from benchmarks import damaged_coders, results
from codec_lib import weights
from codec_lib.devices import name_of
from tools import damage

FILES = 1000 * len(damage.KINDS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--files", type=int, default=FILES)
    options = parser.parse_args()
    report = {
        "command": results.command(),
        "cpu": name_of("cpu"),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("numpy", "torch", "Pillow")},
        "coders": damaged_coders.compare(),  # first: it forks, and PyTorch has no threads yet
        "files": damage_files(options.files),
    }
    results.write(options.json, report)
    for name, row in report["coders"].items():
        print(name, row)
    print({key: value for key, value in report["files"].items() if key != "kinds"})


def damage_files(count: int) -> dict:
    """Decode `count` damaged files and sum up the verdicts by kind of damage."""
    originals = damage.originals()
    verdicts = defaultdict(list)
    broken = []
    for seed in range(count):
        case = damage.case(seed, originals)
        verdict = damage.judge(case, originals)
        verdicts[case.kind].append(verdict)
        if verdict.outcome == "failed":
            broken.append(f"seed {seed} ({case.kind}): {verdict.check}")
    everything = [verdict for of_kind in verdicts.values() for verdict in of_kind]
    return {
        "intact_files": len(originals),
        "weights": {name: weights.load(name).digest for name in weights.available()},
        **summary(everything),
        "broken_claims": broken,
        "kinds": {
            kind: {"checksums_made_right": kind in damage.CHECKSUMS_RIGHT, **summary(of_kind)}
            for kind, of_kind in verdicts.items()
        },
    }


def summary(verdicts: list[damage.Verdict]) -> dict:
    """Counts of outcomes and of the checks that refused, and the longest time."""
    outcomes = Counter(verdict.outcome for verdict in verdicts)
    checks = Counter(verdict.check for verdict in verdicts if verdict.outcome == "refused")
    return {
        "files": len(verdicts),
        **{outcome: outcomes[outcome] for outcome in ("refused", "equal", "different", "failed")},
        "refused_by": dict(checks.most_common()),
        "slowest_seconds": max(verdict.seconds for verdict in verdicts),
    }


if __name__ == "__main__":
    main()
