"""That each stream is one aggregate, and each aggregate one stream."""

from hypothesis import given
from hypothesis import strategies as st

from indelible.access import is_own
from indelible.events import AggregateKey, check_aggregate_type
from indelible.wire.esdb.stream_names import WHOLE, aggregate_of, category_of, stream_of

_PIECES = st.sampled_from(["~", "-", "$", "$$", "a", "order", "é", "$ce"])
_NAMES = st.lists(_PIECES, min_size=1, max_size=8).map("".join)
_TYPES = _NAMES.filter(lambda name: "-" not in name and not is_own(name))


@given(_NAMES)
def test_each_stream_is_one_aggregate_and_back(stream: str):
    key = aggregate_of(stream)
    check_aggregate_type(key.aggregate_type)
    assert not is_own(key.aggregate_type)
    assert stream_of(key.aggregate_type, key.aggregate_id) == stream


@given(_TYPES, _NAMES)
def test_each_aggregate_is_one_stream_and_back(aggregate_type: str, aggregate_id: str):
    assert aggregate_of(stream_of(aggregate_type, aggregate_id)) == AggregateKey(aggregate_type, aggregate_id)


def test_names_are_split_at_the_first_dash_if_they_can_be():
    assert aggregate_of("order-1-a") == AggregateKey("order", "1-a")
    assert [category_of(stream) for stream in ("order-1", "orders", "$$order-1")] == ["order", None, None]
    for whole in ("orders", "-1", "order-", "-", "$$order-1", "$settings", "~", "~-orders"):
        assert aggregate_of(whole) == AggregateKey(WHOLE, whole), whole
