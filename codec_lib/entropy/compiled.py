"""How the loops of coders are compiled: by Numba, once, where their machine code can be kept.

Numba keeps machine code beside the source or in the user's own folder. Where neither can be written (a
package that root installed, a service without a home), it refuses to compile at all; then a loop is
compiled anew in each process, which takes seconds, not correctness.

It would take kept code for valid as long as the file of the loop itself is unchanged, though functions and
constants of other files are part of it. So the digest of all these files is in the name of what is kept.

And it numbers the files that it keeps of a function, and looks the numbers up in another file. Two
processes that compile at the same time can give one number to two loops, and every later process takes the
one for the other. So each file has a random name instead: at worst, a loop is not found and compiled again.

Functions that a function makes, one for each value of a number, share a name. Of two of them machine code
that was kept and such that was compiled just now can then have one symbol, and whoever calls both gets one
of them twice. So their names tell these numbers.
"""

import hashlib
import secrets
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit

SOURCES = "entropy", "fitting", "filtering"  # the folders that loops take functions and constants from

inline = njit(inline="always", error_model="numpy")  # for the parts of loops


def compiled(function: Callable, **options: Any) -> Callable:
    """Compile a loop over integers and arrays, without the interpreter's lock."""
    options |= {"nogil": True, "error_model": "numpy"}
    numbers = (str(cell.cell_contents) for cell in function.__closure__ or ())
    name = "_".join((function.__qualname__, *numbers))
    function.__qualname__ = f"{name}_{_digest()}"  # Numba names the file by it, now and not later
    try:
        loop = njit(cache=True, **options)(function)
        _name_at_random(loop)
    except RuntimeError:  # "cannot cache function ...: no locator available"
        loop = njit(**options)(function)
    function.__qualname__ = loop.__qualname__ = name
    return loop


def compiled_exact(function: Callable) -> Callable:
    """Compile a loop over integers that are held in float64, whose sums all stay below 2**53.

    Such sums are exact in any order: the compiler may add several at once.
    """
    return compiled(function, fastmath={"reassoc", "nsz", "contract"})


def _name_at_random(loop: Any) -> None:
    """Give the files that Numba will keep of a loop names that no other process gives."""
    kept = getattr(getattr(loop, "_cache", None), "_cache_file", None)
    if kept is not None:  # else an environment variable has turned compilation off
        kept._data_name = lambda _: kept._data_name_pattern.format(number=secrets.randbits(63))


@cache
def _digest() -> str:
    """Of all files that a loop may be made of."""
    package = Path(__file__).parent.parent
    files = sorted(path for folder in SOURCES for path in (package / folder).glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
