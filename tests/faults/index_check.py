"""What a query index answered while it was broken, held against the log and against what it promises.

An answer says how far the index had come. So what it had to be is known afterwards, exactly: the events of the log up
to there that fit, newest first.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec

from faults.index_load import Question, questions_of
from faults.relay_check import shortened
from indelible.events import RecordedEvent


class Answer(msgspec.Struct, frozen=True):
    """To a search, all pages of it."""

    question: Question
    cursor: int
    """How far the index had come: a position."""
    positions: Sequence[int]
    wait_for: int = 0
    """How far it was to have come at least."""


class Look(msgspec.Struct, frozen=True):
    """At the generation that is searched."""

    generation: int
    cursor: int


Seen = Answer | Look


def check(watched: Iterable[Sequence[Seen]], log: Sequence[RecordedEvent]) -> list[str]:
    """``watched``: what each of some watchers saw, one after another. Gives the violations."""
    index = _by_question(log)
    violations = list[str]()
    for seen in watched:
        for one in seen:
            if isinstance(one, Answer):
                violations += _wrong(one, index)
        violations += _backward(seen)
    return list(shortened(violations))


def _by_question(log: Iterable[RecordedEvent]) -> Mapping[Question, Sequence[int]]:
    positions = defaultdict[Question, list[int]](list)
    for event in log:
        for question in questions_of(event.aggregate_id, event):
            positions[question].append(event.position)
    return positions


def _wrong(answer: Answer, index: Mapping[Question, Sequence[int]]) -> Iterator[str]:
    fitting = index.get(answer.question, ())
    expected = {position for position in fitting if position <= answer.cursor}
    found = set(answer.positions)
    asked = f"by {answer.question.by} {answer.question.value!r} at cursor {answer.cursor}"
    for position in sorted(expected - found):
        yield f"missing: position {position} was not found {asked}"
    for position in sorted(found - expected):
        what = "ahead" if position > answer.cursor else "foreign"
        yield f"{what}: position {position} was found {asked}"
    if len(found) < len(answer.positions):
        yield f"repeated: {len(answer.positions) - len(found)} events were found again {asked}"
    elif list(answer.positions) != sorted(found, reverse=True):
        yield f"disorder: events were not found newest first {asked}"
    if answer.cursor < answer.wait_for:
        yield f"early: a search that was to wait for {answer.wait_for} was answered {asked}"


def _backward(seen: Sequence[Seen]) -> Iterator[str]:
    """Of an answer the generation is known where it was the same before and after it."""
    looks = [number for number, one in enumerate(seen) if isinstance(one, Look)]
    for before, after in pairwise(looks):
        first, last = seen[before], seen[after]
        assert isinstance(first, Look)
        assert isinstance(last, Look)
        if first.generation > last.generation:
            yield f"backward: generation {last.generation} was searched after {first.generation}"
        if first.generation == last.generation:
            for one, other in pairwise(seen[before : after + 1]):
                if other.cursor < one.cursor:
                    yield (
                        f"backward: generation {first.generation} came from cursor {one.cursor} back to {other.cursor}"
                    )
