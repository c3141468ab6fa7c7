"""How long something holds its thread up, in the processor's time: others on the machine do not count."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import thread_time


@contextmanager
def held_at_most(seconds: float, clock: Callable[[], float] = thread_time) -> Iterator[None]:
    """``clock``: ``process_time`` for what is done in other threads."""
    # A collection of all that the tests' process has takes longer than most of what is measured.
    gc.disable()
    began = clock()
    try:
        yield
        took_s = clock() - began
    finally:
        gc.enable()
    assert took_s < seconds
