"""Which of the programs that tests start have their lines counted: those alone that ask for it.

Counting makes Python two to three times as slow in every process that does it, most of all while it starts, and most
programs here run what the tests' own process runs and counts as well. Those killed with -9 cannot even tell.
"""

import os

_NAME = "COVERAGE_PROCESS_CONFIG"
_SETTING = {name: value for name, value in os.environ.items() if name == _NAME}


def stop() -> None:
    """Programs started from now on are not measured."""
    os.environ.pop(_NAME, None)


def environment() -> dict[str, str]:
    """What a program needs in its environment to be measured; nothing in a run without coverage."""
    return dict(_SETTING)
