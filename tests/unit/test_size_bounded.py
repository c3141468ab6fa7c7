"""A cache that is bounded in bytes."""

from indelible.size_bounded import ENTRY_SIZE_BYTES, SizeBounded


def test_what_was_not_asked_for_the_longest_goes_first() -> None:
    kept = SizeBounded[str, bytes](3 * (ENTRY_SIZE_BYTES + 10), len)
    for name in "abc":
        kept.keep(name, name.encode() * 10)
    assert kept.get("a") == b"a" * 10
    kept.keep("d", b"d" * 10)
    assert [kept.get(name) is not None for name in "abcd"] == [True, False, True, True]


def test_one_that_is_larger_than_all_the_room_is_not_kept() -> None:
    kept = SizeBounded[str, bytes](ENTRY_SIZE_BYTES + 10, len)
    kept.keep("a", b"a" * 11)
    assert kept.get("a") is None
    kept.keep("b", b"b" * 10)
    assert kept.get("b") is not None


def test_the_number_of_small_ones_is_bounded_too() -> None:
    kept = SizeBounded[int, bytes](10 * ENTRY_SIZE_BYTES, len)
    for number in range(1_000):
        kept.keep(number, b"")
    assert sum(kept.get(number) is not None for number in range(1_000)) == 10
