"""How the loops of coders are compiled: by Numba, once, where their machine code can be kept.

Numba keeps machine code beside the source or in the user's own folder. Where neither can be written (a
package that root installed, a service without a home), it refuses to compile at all; then a loop is
compiled anew in each process, which takes seconds, not correctness.
"""

from collections.abc import Callable

from numba import njit

inline = njit(inline="always", error_model="numpy")  # for the parts of loops


def compiled(function: Callable) -> Callable:
    """Compile a loop over integers and arrays, without the interpreter's lock."""
    try:
        return njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # "cannot cache function ...: no locator available"
        return njit(nogil=True, error_model="numpy")(function)
