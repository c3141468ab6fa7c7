"""Which partition an aggregate lies in: for ever the same, and as a store is told to keep aggregates together."""

from collections import Counter

import pytest

from indelible.conditions import AppendCondition
from indelible.errors import InvalidRequest
from indelible.events import AggregateKey
from indelible.limits import PARTITION_KEY_LENGTH_MAX, PARTITION_KEYS_MAX
from indelible.partition_keys import PartitionKeys
from indelible.queries import QueryItem


def test_aggregates_stay_where_they_are() -> None:
    """These places are stored: no release may give others."""
    keys = [AggregateKey("order", "1"), AggregateKey("order", "ä/ö"), AggregateKey("Payment", "x" * 255)]
    assert [PartitionKeys(16, {}).partition_of(key) for key in keys] == [15, 10, 0]
    assert [PartitionKeys(64, {}).partition_of(key) for key in keys] == [47, 26, 0]


def test_aggregates_are_spread_evenly() -> None:
    keys = PartitionKeys(16, {})
    counts = Counter(keys.partition_of(AggregateKey("order", str(n))) for n in range(16_000))
    assert len(counts) == 16
    assert 800 < min(counts.values()) <= max(counts.values()) < 1_200


def test_what_has_one_key_lies_together() -> None:
    keys = PartitionKeys(
        64, {"order": "sale/{aggregate_id}", "payment": "sale/{aggregate_id}", "seat": "{aggregate_id:/}"}
    )
    for n in range(50):
        assert keys.partition_of(AggregateKey("order", str(n))) == keys.partition_of(AggregateKey("payment", str(n)))
    seats = {keys.partition_of(AggregateKey("seat", f"hall-1/{n}")) for n in range(50)}
    assert seats == {keys.partition_of(AggregateKey("seat", "hall-1"))}
    assert len({keys.partition_of(AggregateKey("seat", f"hall-{n}/1")) for n in range(200)}) > 30


def test_the_key_of_all_other_types() -> None:
    keys = PartitionKeys(64, {"*": "all", "order": "{aggregate_id}"})
    assert len({keys.partition_of(AggregateKey(name, name)) for name in "abcdefgh"}) == 1
    assert len({keys.partition_of(AggregateKey("order", name)) for name in "abcdefgh"}) > 1
    assert len({keys.partition_of(AggregateKey("$key", name)) for name in "abcdefgh"}) > 1


@pytest.mark.parametrize(
    ("configured", "pointer"),
    [
        ({"order": ""}, "/partition_keys/order"),
        ({"order": 7}, "/partition_keys/order"),
        ({"order": "{id}"}, "/partition_keys/order"),
        ({"order": "{aggregate_id}{aggregate_id}"}, "/partition_keys/order"),
        ({"order": "{aggregate_id"}, "/partition_keys/order"),
        ({"order": "{aggregate_id:}"}, "/partition_keys/order"),
        ({"order": "x" * (PARTITION_KEY_LENGTH_MAX + 1)}, "/partition_keys/order"),
        ({"a-b": "x"}, "/partition_keys/a-b"),
        ({"$audit": "x"}, "/partition_keys/$audit"),
        ({str(n): "x" for n in range(PARTITION_KEYS_MAX + 1)}, "/partition_keys"),
    ],
)
def test_keys_that_are_refused(configured: dict[str, str], pointer: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        PartitionKeys(4, configured)
    assert caught.value.pointer == pointer


def test_an_append_over_several_partitions_is_refused() -> None:
    keys = PartitionKeys(16, {"order": "sale/{aggregate_id}", "payment": "sale/{aggregate_id}"})
    together = [AggregateKey("order", "1"), AggregateKey("payment", "1")]
    assert keys.check_together(together, None) == keys.partition_of(together[0])
    with pytest.raises(InvalidRequest) as caught:
        keys.check_together([*together, AggregateKey("invoice", "1")], None)
    assert caught.value.pointer == "/appends/2"


def test_a_condition_asks_for_events_of_its_own_partition() -> None:
    keys = PartitionKeys(16, {"course": "school", "student": "school", "order": "{aggregate_id}"})
    here = [AggregateKey("student", "7")]
    sound = AppendCondition((QueryItem(aggregate_types=("course", "student"), tags=("a",)),))
    assert keys.check_together(here, sound) == keys.partition_of(here[0])
    for item in (
        QueryItem(tags=("a",)),
        QueryItem(aggregate_types=("course", "order")),
        QueryItem(aggregate_types=("invoice",)),
    ):
        with pytest.raises(InvalidRequest) as caught:
            keys.check_together(here, AppendCondition((*sound.fail_if, item)))
        assert caught.value.pointer == "/condition/fail_if/1"
    elsewhere = next(
        AggregateKey("order", str(n)) for n in range(99) if keys.partition_of(AggregateKey("order", str(n)))
    )
    with pytest.raises(InvalidRequest):
        keys.check_together([elsewhere], sound)


def test_where_all_lies_in_one_partition_any_condition_does() -> None:
    keys = PartitionKeys(16, {"*": "all"})
    here = AggregateKey("student", "7")
    assert keys.check_together([here], AppendCondition((QueryItem(tags=("a",)),))) == keys.partition_of(here)
