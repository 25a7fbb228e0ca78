"""What coders of fitted pictures are compiled with."""

from collections.abc import Iterator

from numba.core.dispatcher import Dispatcher

from codec_lib.fitting import coder


def called(function, seen: set[str]) -> Iterator[Dispatcher]:
    """The compiled functions that a function can reach by the names in it."""
    for name in function.__code__.co_names:
        found = function.__globals__.get(name)
        if isinstance(found, Dispatcher):
            yield found
            found = found.py_func
        known = f"{getattr(found, '__module__', '')}.{name}"
        if known.startswith("codec_lib.") and hasattr(found, "__code__") and known not in seen:
            seen.add(known)
            yield from called(found, seen)


def test_what_a_decoder_repeats_is_compiled_without_reordered_sums():
    loops = [loop for name in ("encode", "decode") for loop in called(getattr(coder, name), set())]
    assert {"show", "_find_entries", "_pop_grid", "_predict"} <= {loop.__name__ for loop in loops}
    assert not [loop.__name__ for loop in loops if loop.targetoptions.get("fastmath")]
