"""How the loops of coders are compiled: by Numba, once, where their machine code can be kept.

Numba keeps machine code beside the source or in the user's own folder. Where neither can be written (a
package that root installed, a service without a home), it refuses to compile at all; then a loop is
compiled anew in each process, which takes seconds, not correctness.
"""

from collections.abc import Callable
from typing import Any

from numba import njit

inline = njit(inline="always", error_model="numpy")  # for the parts of loops


def compiled(function: Callable, **options: Any) -> Callable:
    """Compile a loop over integers and arrays, without the interpreter's lock."""
    options |= {"nogil": True, "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # "cannot cache function ...: no locator available"
        return njit(**options)(function)


def compiled_exact(function: Callable) -> Callable:
    """Compile a loop over integers that are held in float64, whose sums all stay below 2**53.

    Such sums are exact in any order: the compiler may add several at once.
    """
    return compiled(function, fastmath={"reassoc", "nsz", "contract"})
