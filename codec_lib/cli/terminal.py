"""What a command says on stderr: why it failed, what is worth knowing, how long it has taken so far."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from codec_lib.errors import PictureWarning
from codec_lib.progress import Progress, listening


def fail(message: str, status: int = 1) -> int:
    """Say in one line what is wrong; returns the exit status."""
    print("codec-lib: " + " ".join(message.split()), file=sys.stderr)
    return status


def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
    """A warning in one line, in place of `warnings.showwarning`; others than ours are left out."""
    if issubclass(category, PictureWarning):
        print("codec-lib: warning: " + " ".join(str(message).split()), file=sys.stderr)


@contextmanager
def bar(what: str) -> Iterator[None]:
    """Show on a terminal what an encoder reports, and the seconds of one that reports nothing."""
    shown = None

    def show_progress(state: Progress) -> None:
        nonlocal shown
        stop()  # both would write into one line
        shown = shown or tqdm(desc=what, total=state.total, disable=not sys.stderr.isatty(), leave=False)
        shown.set_postfix_str(f"{state.bytes} bytes, {state.psnr:.2f} dB", refresh=False)
        shown.update(state.done - shown.n)

    with clock(what) as stop:
        try:
            with listening(show_progress):
                yield
        finally:
            if shown is not None:
                shown.close()


@contextmanager
def clock(what: str) -> Iterator[Callable[[], None]]:
    """Show the seconds on a terminal while something takes longer than two of them, or until it is stopped.

    Gives what stops it.
    """
    done = threading.Event()

    def tick() -> None:
        start = time.monotonic()
        while not done.wait(2):
            print(f"\r{what}: {time.monotonic() - start:.0f} s", end="", file=sys.stderr, flush=True)

    def stop() -> None:
        done.set()
        if thread.is_alive():
            thread.join()
            print("\r\x1b[K", end="", file=sys.stderr)

    thread = threading.Thread(target=tick, daemon=True)
    if sys.stderr.isatty():
        thread.start()
    try:
        yield stop
    finally:
        stop()
