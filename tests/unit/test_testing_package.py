"""What is shipped for other people's tests: importable without our own tools, and complete."""

import subprocess
import sys

from indelible.testing.conformance import BadInputConformance, EventStoreConformance


def test_suites_need_no_hypothesis() -> None:
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "import indelible.testing, indelible.testing.fixtures, indelible.testing.conformance"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_no_suite_hides_a_test_of_another() -> None:
    """The suites are put together by inheritance: of two tests with one name, only one would run."""
    suites = [*EventStoreConformance.__mro__[1:-1], BadInputConformance]
    tests = [name for suite in suites for name in vars(suite) if name.startswith("test_")]
    assert len(tests) > 90
    assert sorted(tests) == sorted(set(tests))
