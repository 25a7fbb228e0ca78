"""What learning from the picture saves a near-lossless file, and which part of it saves what.

    python -m benchmarks.adaptive --json results/adaptive.json --validation ../shared/data/validation

Every third picture of Kodak, and every third photograph of a folder; of the latter alone for variants that
ask how a constant would have to be chosen, since nothing is chosen by Kodak. For each variant of
`codec_lib.entropy.adaptive`: the bytes of section r, beside those of a coder that learns nothing, from the
same outputs of the network. A variant changes a constant before the loops are compiled, so each has a
process, and a cache of machine code, of its own. Variants that are in the results are not measured again.
"""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks import variants
from benchmarks.variants import Change

VARIANTS: dict[str, list[Change]] = {
    "no correction": [("codec_lib.entropy.adaptive", "FURTHEST", 0)],
    "opinions weigh the same": [("codec_lib.entropy.logistic_mixing", "RATE_SHIFT", 62)],
    "one strip": [("codec_lib.entropy.adaptive", "STRIP", 1 << 20)],
    "complete": [],
    "half the rate": [("codec_lib.entropy.logistic_mixing", "RATE_SHIFT", 16)],
    "twice the rate": [("codec_lib.entropy.logistic_mixing", "RATE_SHIFT", 14)],
}
TO_CHOOSE = {"half the rate", "twice the rate"}
TAUS = 0, 2
EVERY = 3  # pictures
MODEL = "near-lossless"


def measure(variant: str, validation: Path) -> list[dict]:
    """Bytes of section r of each picture and tau, by a coder that learns nothing and by a variant."""
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
    kodak = [] if variant in TO_CHOOSE else data.kodak()
    sets = {"kodak": kodak, "validation": sorted(validation.glob("*.png"))}
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


def report(rows: dict[str, list[dict]]) -> dict:
    """What the results say of all rows."""
    return {"every": EVERY, "saved_percent": {name: saved(found) for name, found in rows.items()}}


if __name__ == "__main__":
    variants.main("adaptive", MODEL, VARIANTS, measure, report)
