"""What learning from the picture saves a near-lossless file, and which part of it saves what.

    python -m benchmarks.adaptive --json results/adaptive.json --validation ../shared/data/validation

Every third picture of Kodak, and every third photograph of a folder. For each variant of
`codec_lib.entropy.adaptive`: the bytes of section r, beside those of a coder that learns nothing, from the
same outputs of the network. A variant changes a constant before the loops are compiled, so each has a
process, and a cache of machine code, of its own. Variants that are in the results are not measured again.
"""

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

VARIANTS: dict[str, tuple[str, str, int] | None] = {  # module, constant, value
    "no correction": ("adaptive", "FURTHEST", 0),
    "opinions weigh the same": ("logistic_mixing", "RATE_SHIFT", 62),
    "one strip": ("adaptive", "STRIP", 1 << 20),
    "complete": None,
}
TAUS = 0, 2
EVERY = 3  # pictures
MODEL = "near-lossless"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--variant", choices=VARIANTS, help="print its rows; what the others are run with")
    options = parser.parse_args()
    if options.variant:
        print(json.dumps(measure(options.variant, options.validation)))
        return
    rows = json.loads(options.json.read_text())["rows"] if options.json.exists() else {}
    for variant in VARIANTS:
        if variant not in rows:
            rows[variant] = json.loads(in_its_own_process(variant))
            report = {
                "command": f"python -m benchmarks.adaptive {' '.join(sys.argv[1:])}",
                "machine": platform.machine(),
                "every": EVERY,
                "saved_percent": {name: saved(found) for name, found in rows.items()},
                "rows": rows,
            }
            options.json.write_text(json.dumps(report, indent=1) + "\n")


def in_its_own_process(variant: str) -> bytes:
    """What this program prints for a variant."""
    command = [sys.executable, "-m", "benchmarks.adaptive", *sys.argv[1:], "--variant", variant]
    with tempfile.TemporaryDirectory() as folder:
        changed = os.environ | {"NUMBA_CACHE_DIR": folder}
        return subprocess.run(command, env=changed, check=True, stdout=subprocess.PIPE).stdout


def measure(variant: str, validation: Path) -> list[dict]:
    """Bytes of section r of each picture and tau, by a coder that learns nothing and by a variant."""
    if change := VARIANTS[variant]:
        module, constant, value = change
        setattr(importlib.import_module(f"codec_lib.entropy.{module}"), constant, value)

    import codec_lib as cl  # compiles nothing before this
    from codec_lib import data
    from codec_lib.entropy.adaptive import Adaptive
    from codec_lib.entropy.mixture import Fixed
    from codec_lib.priors import residual_coder

    class Both(Adaptive):
        """The variant, which also counts what a coder that learns nothing would write."""

        def __init__(self, *known: Any):
            super().__init__(*known)
            self.fixed = Fixed(*known)

        def entries(self, values: np.ndarray, places: np.ndarray, outputs: np.ndarray) -> np.ndarray:
            given = values, places, outputs
            found = {"fixed": self.fixed.entries(*given), variant: super().entries(*given)}
            for name, entries in found.items():
                bits[name] += (16 - np.log2((entries >> 16) + 1.0)).sum()
            return found[variant]

    rows, bits = [], dict.fromkeys(("fixed", variant), 0.0)
    sets = {"kodak": data.kodak(), "validation": sorted(validation.glob("*.png"))}
    with patch.object(residual_coder, "Adaptive", Both), patch.object(residual_coder, "SMALL", 0):
        for of, paths in sets.items():
            for path in paths[::EVERY]:
                for tau in TAUS:
                    bits.update(dict.fromkeys(bits, 0.0))
                    cl.encode(path, MODEL, tau=tau, device="cpu")
                    sizes = {name: round(each / 8) for name, each in bits.items()}
                    rows.append({"set": of, "picture": path.name, "tau": tau, "bytes": sizes})
    return rows


def saved(rows: list[dict]) -> dict[str, dict[str, float]]:
    """How much shorter section r is than without learning, in percent: the mean over pictures."""
    found: dict[str, dict[str, float]] = {}
    for of in sorted({row["set"] for row in rows}):
        for tau in TAUS:
            sizes = [row["bytes"] for row in rows if (row["set"], row["tau"]) == (of, tau)]
            ratios = [
                size / each["fixed"] for each in sizes for name, size in each.items() if name != "fixed"
            ]
            found.setdefault(of, {})[str(tau)] = round(100 * (1 - float(np.mean(ratios))), 2)
    return found


if __name__ == "__main__":
    sys.exit(main())
