"""Answers what :mod:`indelible.engines.feed_walk` asks, and finds a time window's positions."""

from collections.abc import Generator, Sequence
from datetime import datetime
from typing import Any, TypeVar

import psycopg

from indelible.engines.feed_walk import Count, FindTypes, Question, Walk, Walked
from indelible.engines.postgres.connections import Connection, is_pooled
from indelible.engines.postgres.statements import Statements
from indelible.queries import Direction, EventQuery

_T = TypeVar("_T")
_Cursor = psycopg.AsyncCursor[tuple[Any, ...]]


async def answered_on(connection: Connection, statements: Statements, search: Generator[Question, Any, _T]) -> _T:
    """Run a search to its end."""
    try:
        question = next(search)
        while True:
            cursor = await _ask(connection, statements, question)
            question = search.send(_answer(question, await cursor.fetchone()))
    except StopIteration as end:
        found: _T = end.value
        return found


async def time_window(
    connection: Connection, statements: Statements, query: EventQuery, low: int, high: int
) -> tuple[int, int]:
    """The part of ``low`` to ``high`` (positions, inclusive) whose timestamps are in the query's time window."""
    if query.since is not None:
        low = await _first_position_since(connection, statements, (low, high + 1), query.since, "forward")
    if query.until is not None and low <= high:
        high = await _first_position_since(connection, statements, (low, high + 1), query.until, "backward") - 1
    return low, high


async def _first_position_since(
    connection: Connection, statements: Statements, within: tuple[int, int], timestamp: datetime, direction: Direction
) -> int:
    values = {
        "low": within[0], "high": within[1], "timestamp": timestamp, "none_is_before": direction == "backward",
    }  # fmt: skip
    row = await (await connection.execute(statements("first_position_since", direction), values)).fetchone()
    assert row is not None
    return int(row[0])


async def _ask(connection: Connection, statements: Statements, question: Question) -> _Cursor:
    name, values = _statement_for(question)
    direction = "forward" if isinstance(question, FindTypes) else question.range.direction
    cursor = connection.cursor(binary=True)
    return await cursor.execute(statements(name, direction), values, prepare=not is_pooled(connection))


def _statement_for(question: Question) -> tuple[str, dict[str, Any]]:
    match question:
        case FindTypes(event_types, aggregate_types):
            values = {"event_types": event_types, "aggregate_types": aggregate_types}
            return "event_type_ids", {name: list(names) or None for name, names in values.items()}
        case Count(range, most, tag, types):
            bounds = {"low": range.low, "high": range.high, "most": most}
            if tag is None:
                return "count_types_bounded", {**bounds, "event_types": types}
            return "count_tag_bounded", {**bounds, "tag": tag}
        case Walk(range, chunk, tag, types, other_tags):
            bounds = {"low": range.low, "high": range.high, "chunk": chunk}
            rest = {"event_types": types, "other_tags": list(other_tags)}
            if tag is None:
                return "candidates_by_type", {**bounds, **rest}
            return "candidates_by_tag", {**bounds, **rest, "tag": tag}


def _answer(question: Question, row: tuple[Any, ...] | None) -> Sequence[int] | int | Walked:
    assert row is not None
    match question:
        case FindTypes():
            types: list[int] = row[0]
            return types
        case Count():
            return int(row[0])
        case Walk():
            return Walked(*row)
