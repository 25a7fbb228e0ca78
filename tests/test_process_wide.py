"""Switches of the process come back as they were, whatever happens meanwhile."""

import os
from threading import Event, Thread
from types import SimpleNamespace

import pytest

from codec_lib.process_wide import Held, Switch


class Stuck:
    """A switch that cannot be moved."""

    value = property(lambda self: 0)


@pytest.fixture
def place():
    return SimpleNamespace(a=0, b=2)


def switches(place):
    return Switch(place, "a", (1, 5)), Switch(place, "b", (1, 2))


def test_only_what_stands_wrong_is_moved_and_the_last_one_puts_it_back(place):
    held = Held()
    with held.held(switches(place)):
        with held.held(switches(place)):
            assert (place.a, place.b) == (1, 2)
        assert (place.a, place.b) == (1, 2)
    assert (place.a, place.b) == (0, 2)


def test_a_switch_that_fails_leaves_the_others_as_they_were_and_nobody_waiting(place):
    held = Held()
    for _ in range(2):
        with pytest.raises(AttributeError), held.held([*switches(place), Switch(Stuck(), "value", (1,))]):
            pass
        assert place.a == 0
    with held.held(switches(place)):
        assert place.a == 1
    assert place.a == 0


def test_what_the_application_sets_meanwhile_stays(place):
    held = Held()
    with held.held(switches(place)):
        place.a = 7
    assert place.a == 7
    with held.held(switches(place)):
        place.a = 8
        with held.held(switches(place)):
            assert place.a == 1
    assert place.a == 8


def test_a_number_of_another_class_is_another_number(place):
    place.a = True
    with Held().held(switches(place)):
        assert place.a is not True
    assert place.a is True


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_waits_for_no_thread_that_it_does_not_have(place):
    held, is_locked, is_done = Held(), Event(), Event()

    def keep() -> None:
        with held.held(switches(place)), held.lock:
            is_locked.set()
            is_done.wait()

    thread = Thread(target=keep)
    thread.start()
    is_locked.wait()
    child = os.fork()
    if not child:
        is_free = held.lock.acquire(timeout=5)
        os._exit(0 if is_free and place.a == 0 and not held.users else 1)
    is_done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert place.a == 0
