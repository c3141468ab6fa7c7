"""What is refused before an engine is asked: once directly and once over each transport."""

import pytest

from conformance.storages import STORAGES, Storage
from indelible.testing.conformance import BadInputConformance


@pytest.fixture
def storage() -> Storage:
    return STORAGES[0]


class TestBadInput(BadInputConformance):
    pass
