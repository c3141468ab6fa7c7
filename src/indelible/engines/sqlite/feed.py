"""Answers what :mod:`indelible.engines.feed_walk` asks, and finds a time window's positions."""

from collections.abc import Generator, Sequence
from typing import Any, TypeVar

import apsw
import msgspec

from indelible.engines.feed_walk import Count, FindTypes, Question, Walk, Walked, answered
from indelible.engines.sqlite.statements import directed, fetch, statement
from indelible.events import timestamp_to_us
from indelible.limits import TYPES_MERGED_MAX, TYPES_SEARCHED_MAX
from indelible.queries import EventQuery, QueryItem

_T = TypeVar("_T")


def answered_on(connection: apsw.Connection, search: Generator[Question, Any, _T]) -> _T:
    return answered(search, lambda question: _answer(connection, question))


def time_window(connection: apsw.Connection, query: EventQuery, low: int, high: int) -> tuple[int, int]:
    """The part of ``low`` to ``high`` (positions, inclusive) whose timestamps are in the query's time window."""
    if query.since is not None:
        low = _first_position_since(connection, low, high + 1, timestamp_to_us(query.since))
    if query.until is not None and low <= high:
        high = _first_position_since(connection, low, high + 1, timestamp_to_us(query.until)) - 1
    return low, high


def _first_position_since(connection: apsw.Connection, low: int, high: int, timestamp_us: int) -> int:
    values = {"low": low, "high": high, "timestamp_us": timestamp_us}
    return int(fetch(connection, statement("first_position_since"), values)[0][0])


def _answer(connection: apsw.Connection, question: Question) -> Sequence[int] | int | Walked | None:
    match question:
        case FindTypes():
            return _find_types(connection, question)
        case Count():
            return _count(connection, question)
        case Walk():
            return _walk(connection, question)


def _find_types(connection: apsw.Connection, question: FindTypes) -> list[int] | None:
    values = {
        "event_types": _json_or_none(question.event_types),
        "aggregate_types": _json_or_none(question.aggregate_types),
        "found_max": TYPES_MERGED_MAX,
    }
    known = fetch(connection, "SELECT max(id) FROM event_types")[0][0]
    if known is not None and known > TYPES_SEARCHED_MAX:
        return None
    ids = msgspec.json.decode(fetch(connection, statement("event_type_ids"), values)[0][0], type=list[int])
    return ids if len(ids) <= TYPES_MERGED_MAX else None


def _count(connection: apsw.Connection, question: Count) -> int:
    values: dict[str, int | str | None] = {
        "low": question.range.low,
        "high": question.range.high,
        "most": question.most,
    }
    if question.tag is not None:
        sql, values["tag"] = statement("count_tag_bounded"), question.tag
    else:
        sql, values["event_types"] = statement("count_types_bounded"), _json(question.types)
    return int(fetch(connection, sql, values)[0][0])


def _walk(connection: apsw.Connection, question: Walk) -> Walked:
    if question.whole is not None:
        return _walk_positions(connection, question, question.whole)
    others = question.other_tags
    # One other tag is the usual case, and cheaper to look up by itself than as a list.
    values: dict[str, int | str | None] = {
        "low": question.range.low,
        "high": question.range.high,
        "chunk": question.chunk,
        "event_types": None if question.types is None else _json(question.types),
        "other_tag": others[0] if others else None,
        "more_tags": _json(others[1:]) if len(others) > 1 else None,
    }
    name = "candidates_by_type"
    if question.tag is not None:
        name, values["tag"] = "candidates_by_tag", question.tag
    text, count, last = fetch(connection, directed(name, question.range.direction), values)[0]
    return Walked(msgspec.json.decode(text), count, last)


def _walk_positions(connection: apsw.Connection, question: Walk, item: QueryItem) -> Walked:
    values: dict[str, int | str | None] = {
        "low": question.range.low,
        "high": question.range.high,
        "chunk": question.chunk,
        "event_types": _json_or_none(item.event_types),
        "aggregate_types": _json_or_none(item.aggregate_types),
        "tags": _json(item.tags),
    }
    sql = directed("candidates_by_position", question.range.direction)
    text, count, last = fetch(connection, sql, values)[0]
    return Walked(msgspec.json.decode(text), count, last)


def _json_or_none(names: Sequence[str]) -> str | None:
    return _json(names) if names else None


def _json(names: Sequence[str] | Sequence[int] | None) -> str:
    return msgspec.json.encode(names).decode()
