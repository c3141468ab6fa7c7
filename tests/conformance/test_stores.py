"""Every store is put through the same suite: two engines cannot be told apart but by their capabilities."""

from indelible.testing.conformance import EventStoreConformance


class TestEventStore(EventStoreConformance):
    pass
