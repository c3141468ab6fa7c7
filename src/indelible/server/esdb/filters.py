"""Filters of $all: which events are wanted, by their type's or their stream's name.

A filter has prefixes, or a regular expression in the style of .NET, which is looked for anywhere in the name: clients
anchor it themselves. It is foreign, so it is bounded in all that it may take. Most are no more than names or beginnings
of names, which are compared without an expression, and of which the store can look up some by itself.
"""

import re
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import regex
from msgspec.structs import replace

from indelible.access import Principal
from indelible.errors import InvalidRequest
from indelible.events import RecordedEvent, check_name
from indelible.limits import (
    ESDB_FILTER_BUDGET_PER_EVENT_S,
    ESDB_FILTER_BUDGET_S,
    ESDB_FILTER_LENGTH_MAX,
    ESDB_FILTER_MATCH_S,
    ESDB_FILTER_NAMES_KEPT_MAX,
    ESDB_FILTER_NESTING_MAX,
    ESDB_FILTER_PREFIXES_MAX,
    ESDB_FILTER_WRITTEN_OUT_MAX,
)
from indelible.queries import EVERYTHING, EventQuery
from indelible.wire.esdb.messages import has_stream
from indelible.wire.esdb.pb import shared_pb2 as pb
from indelible.wire.esdb.stream_names import WHOLE, aggregate_of, stream_of

Test = Callable[[str], bool]
"""Whether a name is wanted."""


class EventFilter:
    """Which events are wanted. For one reader: what a pattern takes is counted here."""

    def __init__(self, query: EventQuery, name_of: Callable[[RecordedEvent], str], is_wanted: Test) -> None:
        self.query: Final = query
        """What of it the store can look up: no event matches that does not match this."""
        self._name_of: Final = name_of
        self._is_wanted: Final = is_wanted

    def query_for(self, principal: Principal) -> EventQuery:
        """The same for one caller: without aggregate types that it may not read where there are others, since a query
        that names them is refused."""
        reach = principal.reach("read")
        items = [
            replace(item, aggregate_types=tuple(filter(reach.covers, item.aggregate_types)) or item.aggregate_types)
            for item in self.query.items
        ]
        return replace(self.query, items=tuple(items))

    def matches(self, event: RecordedEvent) -> bool:
        """The store's own events never do. Raises ``InvalidRequest`` when the pattern takes too long."""
        return has_stream(event) and self._is_wanted(self._name_of(event))


def filter_of(options: pb.FilterOptions | None) -> EventFilter:
    """None: every event that clients may see. Raises ``InvalidRequest`` with a pointer below ``/filter``."""
    which = None if options is None else options.WhichOneof("filter")
    if options is None:
        return EventFilter(EVERYTHING, _type_of, _any)
    if which is None:
        raise InvalidRequest("must have stream_identifier or event_type", pointer="/filter")
    expression: pb.FilterOptions.Expression = getattr(options, which)
    pointer = f"/filter/{which}"
    by_stream = which == "stream_identifier"
    name_of = _stream_of if by_stream else _type_of
    if expression.regex:
        return _of_pattern(expression.regex, name_of, f"{pointer}/regex", by_stream=by_stream)
    if not expression.prefix:
        return EventFilter(EVERYTHING, name_of, _any)
    names = Names((), _checked_prefixes(expression.prefix, f"{pointer}/prefix"))
    return EventFilter(_query_of(names, by_stream=by_stream), name_of, names.have)


def _of_pattern(pattern: str, name_of: Callable[[RecordedEvent], str], pointer: str, *, by_stream: bool) -> EventFilter:
    if pattern in _NO_SYSTEM_NAMES:
        return EventFilter(EVERYTHING, name_of, _is_no_system_name)
    if len(pattern) > ESDB_FILTER_LENGTH_MAX:
        raise InvalidRequest(f"at most {ESDB_FILTER_LENGTH_MAX} characters, not {len(pattern)}", pointer=pointer)
    names = names_of(pattern)
    if names is None:
        return EventFilter(EVERYTHING, name_of, BoundedPattern(pattern, pointer).is_found_in)
    return EventFilter(_query_of(names, by_stream=by_stream), name_of, names.have)


def _checked_prefixes(prefixes: Sequence[str], pointer: str) -> tuple[str, ...]:
    if len(prefixes) > ESDB_FILTER_PREFIXES_MAX:
        raise InvalidRequest(f"at most {ESDB_FILTER_PREFIXES_MAX} prefixes, not {len(prefixes)}", pointer=pointer)
    return tuple(check_name(prefix, f"{pointer}/{i}") if prefix else "" for i, prefix in enumerate(prefixes))


def _type_of(event: RecordedEvent) -> str:
    return event.event_type


def _stream_of(event: RecordedEvent) -> str:
    return stream_of(event.aggregate_type, event.aggregate_id)


def _any(_: str) -> bool:
    return True


# --- Names and beginnings of names -----------------------------------------------------------------------------------


_NO_SYSTEM_NAMES: Final = frozenset(("^[^$]", r"^[^\$]", "^[^$].*", r"^[^\$].*", r"^(?!\$)", r"^(?!\$).*"))
"""What clients send to have no events of the system."""

_literal: Final = re.compile(r"\^((?:[^\\.^$*+?{}\[\]|()]|\\[^\w\s])+)(\$|\.\*\$?|)").fullmatch


def _is_no_system_name(name: str) -> bool:
    return not name.startswith("$")


class Names(NamedTuple):
    """A filter that needs no expression."""

    whole: tuple[str, ...]
    prefixes: tuple[str, ...]

    def have(self, name: str) -> bool:
        return name in self.whole or name.startswith(self.prefixes)


def names_of(pattern: str) -> Names | None:
    """What the pattern says where it is no more than ``^name$``, ``^prefix`` or several of them with | between."""
    whole: list[str] = []
    prefixes: list[str] = []
    for part in pattern.split("|"):
        found = _literal(part)
        if found is None:
            return None
        text = re.sub(r"\\(.)", r"\1", found[1])
        (whole if found[2] == "$" else prefixes).append(text)
    return Names(tuple(whole), tuple(prefixes))


def _query_of(names: Names, *, by_stream: bool) -> EventQuery:
    try:
        if by_stream:
            return EventQuery.of(aggregate_types=sorted(_aggregate_types_of(names)))
        return EVERYTHING if names.prefixes else EventQuery.of(event_types=names.whole)
    except InvalidRequest:
        return EVERYTHING  # too many for a query, or none that there can be


def _aggregate_types_of(names: Names) -> set[str]:
    """Of the streams that have such a name; none where that cannot be said."""
    found = {aggregate_of(name).aggregate_type for name in names.whole}
    for prefix in names.prefixes:
        if prefix.startswith("$"):
            found.add(WHOLE)
        elif "-" in prefix:
            # Not all that begins so says its type: "order-" itself does not.
            found |= {prefix.partition("-")[0] or WHOLE, WHOLE}
        else:
            return set()
    return found


# --- Patterns --------------------------------------------------------------------------------------------------------


_parts: Final = re.compile(
    r"""
      (?P<escape>   \\[pP]\{\^?\w+\} | \\. )
    | (?P<class>    \[ \^? \]? (?:\\. | [^\]\\])* \] )
    | (?P<opening>  \( (?: \? (?: [ims]*(?:-[ims]+)?[:)] | [=!>] | <[=!] | <[A-Za-z]\w*> ) )? (?!\?|\*) )
    | (?P<closing>  \) )
    | (?P<repeat>   \{ \d+ (?:,\d*)? \} )
    | (?P<foreign>  [({\[] )
    | (?P<other>    [^\\(){\[]+ )
    """,
    re.VERBOSE | re.DOTALL,
)
"""What a pattern is made of."""
_FOREIGN_CLASS: Final = re.compile(r"-\[|\[:")
"""What means one thing in .NET, and another here."""


class _WrittenOut:
    """How long a pattern is when its counted repeats are written out, as it is compiled."""

    def __init__(self) -> None:
        self._groups: Final = [0]
        """Of each group that is open, and of the pattern, its length so far."""
        self._last = 0
        """Of what a repeat would repeat."""

    @property
    def nesting(self) -> int:
        return len(self._groups) - 1

    @property
    def length(self) -> int:
        return self._groups[-1]

    def add(self, kind: str | None, text: str) -> None:
        """The next part, of a kind that :data:`_parts` names."""
        if kind == "opening" and not text.endswith(")"):
            self._groups.append(0)
            self._last = 0
            return
        if kind == "repeat":
            self._groups[-1] += self._last * (_most(text) - 1)
            self._last *= _most(text)
            return
        added, self._last = len(text), 1 if kind == "other" else len(text)
        if kind == "closing" and self.nesting:
            self._last = added = self._groups.pop() + 1
        self._groups[-1] += added


def _most(repeat: str) -> int:
    """Of a counted repeat; at least 1."""
    return max(1, *(int(number or 1) for number in repeat[1:-1].split(",")))


class BoundedPattern:
    """A pattern that somebody else has written. ``pointer``: where it stands in what was sent.

    Raises ``InvalidRequest`` where it does not compile, has what expressions in .NET do not have, or is nested so deep
    or repeated so often that it would take long to compile.
    """

    def __init__(self, pattern: str, pointer: str) -> None:
        self._pointer: Final = pointer
        self._check(pattern)
        try:
            self._search: Final = regex.compile(pattern).search
        except (regex.error, RecursionError, OverflowError, ValueError) as error:
            raise self._refused(f"is no regular expression that can be used here: {error}") from None
        self._left_s = ESDB_FILTER_BUDGET_S
        self._found: Final[dict[str, bool]] = {}

    def is_found_in(self, name: str) -> bool:
        """Raises ``InvalidRequest`` when the pattern takes too long, on this name or on all up to it."""
        found = self._found.get(name)
        if found is None:
            found = self._look_for_it(name)
            if len(self._found) >= ESDB_FILTER_NAMES_KEPT_MAX:
                self._found.clear()
            self._found[name] = found
        return found

    def _look_for_it(self, name: str) -> bool:
        # Of this thread: on a busy machine others' time must not count.
        begun_s = time.thread_time()
        try:
            found = self._search(name, timeout=ESDB_FILTER_MATCH_S) is not None
        except (TimeoutError, MemoryError):
            raise self._too_slow() from None
        took_s = time.thread_time() - begun_s
        self._left_s = min(self._left_s + ESDB_FILTER_BUDGET_PER_EVENT_S, ESDB_FILTER_BUDGET_S) - took_s
        if self._left_s < 0:
            raise self._too_slow()
        return found

    def _too_slow(self) -> InvalidRequest:
        return self._refused(
            "takes too long to match. Write it without repetitions within repetitions, or use prefixes"
        )

    def _refused(self, message: str) -> InvalidRequest:
        return InvalidRequest(message, pointer=self._pointer)

    def _check(self, pattern: str) -> None:
        written_out = _WrittenOut()
        for part in _parts.finditer(pattern):
            text = part[0]
            if part.lastgroup == "foreign" or (part.lastgroup == "class" and _FOREIGN_CLASS.search(text)):
                raise self._refused(f"has {text!r} at {part.start()}, which is not closed, or not supported")
            written_out.add(part.lastgroup, text)
            if written_out.nesting > ESDB_FILTER_NESTING_MAX:
                raise self._refused(f"at most {ESDB_FILTER_NESTING_MAX} groups within one another")
            if written_out.length > ESDB_FILTER_WRITTEN_OUT_MAX:
                raise self._refused(
                    f"is longer than {ESDB_FILTER_WRITTEN_OUT_MAX} characters when its repeats are written out"
                )
