"""Whole folders: `python -m benchmarks.folders --pictures FOLDER --json results/folders.json`.

Crops of 768x512 pixels are cut out of a folder's photographs, saved as PNG, and

    throughput   all of them encoded and decoded by encode-all and decode-all, beside a shell loop over
                 `codec-lib encode` (of fewer pictures), and beside cjxl and cwebp, one process a core
    memory       of encode-all and its processes while that runs, in ten parts of the time
    killed       encode-all of 200 of them, killed at a random moment ten times, then run to its end
    training     batches of crops for a training loop, from .clc files, PNG and JPEG, by two workers

Where cjxl or cwebp is missing, so is its row. Meant for a machine that does nothing else.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import psutil
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

import codec_lib as cl
from benchmarks import machine, results
from codec_lib import data
from codec_lib.data import Compressed
from codec_lib.folders import manifest, pool
from codec_lib.folders.places import at
from codec_lib.measure import metrics

WIDTH, HEIGHT = 768, 512
COUNT, LOOP_COUNT, KILLED_COUNT, KILLS = 1000, 20, 200, 10
CROP, BATCH, ITEMS = 256, 16, 320
JPEG_QUALITY = 75  # about the PSNR of the flagship at its default, which the rows have
PROCESSES = pool.cores()
TRAIN = "../shared/data/train"  # the photographs of the stored results
LOSSY = {  # shell commands for one picture, $1 in and $2 out
    "cjxl": 'cjxl --quiet --num_threads=0 -d 1.9 "$1" "$2.jxl"',
    "cwebp": 'cwebp -quiet -q 75 -m 4 "$1" -o "$2.webp"',
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Whole folders: speed, memory, interruptions, training.")
    parser.add_argument("--pictures", default=TRAIN, help="folder of large photographs")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--only", action="append", choices=PARTS, help="measure again, keep the rest")
    parser.add_argument("--note", help="kept in the results, for instance what else ran on the machine")
    options = parser.parse_args()
    made_with = machine.here() | {"processes": PROCESSES, "size": [WIDTH, HEIGHT]}
    report = results.begin(options.json, made_with, keep=bool(options.only))
    report["note"] = options.note or report.get("note")
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        make_pictures(Path(options.pictures), top / "source")
        for name in options.only or PARTS:
            report |= PARTS[name](top)
            results.write(options.json, report)
            print(json.dumps({name: report.get(name)}), flush=True)


def make_pictures(photographs: Path, target: Path) -> None:
    """`COUNT` crops at random places, as PNG."""
    target.mkdir()
    draw = random.Random(0)
    paths = [path for path in data.pictures_in(photographs) if is_large(path)]
    opened: dict[Path, Image.Image] = {}
    for k in range(COUNT):
        path = paths[k % len(paths)]
        if path not in opened:
            opened[path] = Image.open(path).convert("RGB")
        image = opened[path]
        left, top = draw.randint(0, image.width - WIDTH), draw.randint(0, image.height - HEIGHT)
        image.crop((left, top, left + WIDTH, top + HEIGHT)).save(target / f"{k:04d}.png", compress_level=1)


def is_large(path: Path) -> bool:
    with Image.open(path) as image:
        return image.width >= WIDTH and image.height >= HEIGHT


def throughput(top: Path) -> dict[str, Any]:
    """Pictures a second, over all pictures but for the loop; and the memory of the first way."""
    source, rows, watched = top / "source", {}, []
    seconds = run(["encode-all", str(source), str(top / "clc")], watched)
    assert len(manifest.read(at(top / "clc"))) == COUNT
    rows["encode-all"] = row(COUNT, seconds, top / "clc", ".clc")
    rows["decode-all"] = row(
        COUNT, run(["decode-all", str(top / "clc"), str(top / "back")]), top / "back", ".png"
    )
    (top / "loop").mkdir()
    began = time.perf_counter()
    for path in sorted(source.iterdir())[:LOOP_COUNT]:
        run(["encode", str(path), str(top / "loop" / f"{path.stem}.clc")])
    rows["loop over encode"] = row(LOOP_COUNT, time.perf_counter() - began, top / "loop", ".clc")
    for name, command in LOSSY.items():
        if shutil.which(name):
            (top / name).mkdir()
            began = time.perf_counter()
            each = ["xargs", "-P", f"{PROCESSES}", "-I", "{}", "sh", "-c", command, "sh", f"{source}/{{}}"]
            names = "\n".join(path.name for path in source.iterdir())
            subprocess.run([*each, f"{top / name}/{{}}"], input=names, text=True, check=True)
            rows[name] = row(COUNT, time.perf_counter() - began, top / name, "")
    parts = np.array_split(np.array(watched), 10)
    return {"throughput": rows, "memory": {"megabytes": [round(float(part.max())) for part in parts]}}


def row(count: int, seconds: float, folder: Path, ending: str) -> dict[str, float]:
    files = [path for path in folder.rglob(f"*{ending}") if path.is_file() and path.name != manifest.NAME]
    assert len(files) == count, (folder, len(files))
    sizes = [path.stat().st_size for path in files]
    return {
        "pictures": count,
        "seconds": round(seconds, 1),
        "pictures_a_second": round(count / seconds, 3),
        "megapixels_a_second": round(count * WIDTH * HEIGHT / 1e6 / seconds, 3),
        "mean_bytes": round(mean(sizes)),
    }


def run(arguments: list[str], watched: list[float] | None = None) -> float:
    """Seconds of a `codec-lib` command; into `watched` go the megabytes of all its processes, by time."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "codec_lib", *arguments], stdout=subprocess.DEVNULL)
    while process.poll() is None:
        time.sleep(0.02 if watched is None else 0.5)
        if watched is not None:
            watched.append(resident(process.pid))
    assert process.returncode == 0, arguments
    return time.perf_counter() - began


def resident(pid: int) -> float:
    """Megabytes that a process and its children hold, what they share counted once (PSS)."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += process.memory_full_info().pss
    return total / 1e6


def killed(top: Path) -> dict[str, Any]:
    """What ten kills leave: files that are half, drafts, and at the end pictures that are missing."""
    source, target, draw = top / "few", top / "killed", random.Random(1)
    source.mkdir()
    for path in sorted((top / "source").iterdir())[:KILLED_COUNT]:
        shutil.copy(path, source)
    command = [sys.executable, "-m", "codec_lib", "encode-all", str(source), str(target)]
    half, done = 0, []
    for _ in range(KILLS):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        time.sleep(draw.uniform(2, 9))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        files = list(target.rglob("*.clc"))
        half += sum(not is_whole(path) for path in files)
        done.append(len(files))
    run(command[3:])
    rows = manifest.read(at(target))
    left = [path for path in target.rglob("*") if path.suffix != ".clc" and path.name != manifest.NAME]
    missing = sum(not (target / f"{path.stem}.clc").exists() for path in source.iterdir())
    assert len(rows) == KILLED_COUNT
    return {
        "killed": {
            "pictures": KILLED_COUNT,
            "files_after_each_kill": done,
            "half": half,
            "missing": missing,
            "left_over": len(left),
        }
    }


def is_whole(path: Path) -> bool:
    try:
        return cl.decode(path.read_bytes()).size == (WIDTH, HEIGHT)
    except cl.BitstreamError:
        return False


class Pictures(Dataset):
    """What `Compressed` is for .clc files, for those that Pillow opens."""

    def __init__(self, folder: Path):
        self.paths = sorted(folder.iterdir())

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, k: int) -> torch.Tensor:
        left = int(torch.randint(WIDTH - CROP + 1, ()))
        top = int(torch.randint(HEIGHT - CROP + 1, ()))
        with Image.open(self.paths[k]) as image:
            part = image.convert("RGB").crop((left, top, left + CROP, top + CROP))
        return torch.from_numpy(np.array(part).transpose(2, 0, 1))


def training(top: Path) -> dict[str, Any]:
    """Items a second that a loop gets, bytes of an item on the disk, and what is left of it."""
    paths = sorted((top / "source").iterdir())[:ITEMS]
    kinds: dict[str, Callable[[Path, Path], Any]] = {
        "clc": lambda path, out: out.with_suffix(".clc").write_bytes(cl.encode(path)),
        "png": lambda path, out: shutil.copy(path, out.with_suffix(".png")),
        "jpeg": lambda path, out: Image.open(path).save(out.with_suffix(".jpg"), quality=JPEG_QUALITY),
    }
    rows = {}
    for kind, write in kinds.items():
        folder = top / f"training-{kind}"
        folder.mkdir()
        for path in paths:
            write(path, folder / path.name)
        pictures = Compressed(folder, crop=CROP) if kind == "clc" else Pictures(folder)
        stored = sorted(folder.iterdir())
        rows[kind] = {
            "items_a_second": speed(pictures),
            "mean_bytes": round(mean(path.stat().st_size for path in stored)),
            "psnr": None if kind == "png" else round(mean(map(psnr, paths, stored)), 2),
        }
    whole = speed(Compressed(top / "training-clc", transform=lambda x: x[:, :CROP, :CROP]))
    rows["clc, whole picture"] = rows["clc"] | {"items_a_second": whole}
    return {"training": {"crop": CROP, "workers": PROCESSES, "rows": rows}}


def psnr(original: Path, stored: Path) -> float:
    """In dB."""
    with Image.open(original) as image:
        shown = cl.decode(stored.read_bytes()) if stored.suffix == ".clc" else Image.open(stored)
        return metrics.psnr(image, shown)


def speed(pictures: Dataset) -> float:
    """Items a second over one pass, after the first batch of each worker."""
    loader = iter(DataLoader(pictures, batch_size=BATCH, num_workers=PROCESSES))
    for _ in range(PROCESSES):
        next(loader)
    began = time.perf_counter()
    count = sum(len(batch) for batch in loader)
    return round(count / (time.perf_counter() - began), 2)


PARTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "throughput": throughput,
    "killed": killed,
    "training": training,
}


if __name__ == "__main__":
    sys.exit(main())
