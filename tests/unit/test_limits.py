"""Limits that only make sense together."""

import pytest

from indelible import limits
from indelible.limit_relations import check_together


def test_those_that_there_are_go_together() -> None:
    check_together(vars(limits))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("QUEUE_REQUESTS_MAX", 8_192, r"2 times REQUEST_EVENTS_MAX \(10000\) is more than QUEUE_REQUESTS_MAX \(8192\)"),
        ("REQUEST_SIZE_BYTES_MAX", 2**30, "REQUEST_SIZE_BYTES_MAX .* is more than BODIES_SIZE_BYTES_MAX"),
        ("EVENT_SIZE_BYTES_MAX", 2**22, "EVENT_SIZE_BYTES_MAX .* is more than PAGE_SIZE_BYTES_MAX"),
    ],
)
def test_others_are_refused(name: str, value: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_together({**vars(limits), name: value})


def test_every_json_reader_keeps_the_largest_version() -> None:
    assert int(float(limits.VERSION_MAX)) == limits.VERSION_MAX
    assert float(limits.VERSION_MAX + 1) == float(limits.VERSION_MAX + 2)
