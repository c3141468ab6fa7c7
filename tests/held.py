"""How long something holds its thread up, in the processor's time: others on the machine do not count."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from time import thread_time


@contextmanager
def held_at_most(seconds: float) -> Iterator[None]:
    # A collection of all that the tests' process has takes longer than most of what is measured.
    gc.disable()
    began = thread_time()
    try:
        yield
        took_s = thread_time() - began
    finally:
        gc.enable()
    assert took_s < seconds
