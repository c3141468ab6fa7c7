"""The wire for clients of KurrentDB and EventStoreDB."""

from typing import Final

from indelible.limits.events import EVENT_SIZE_BYTES_MAX

# --- Clients of KurrentDB and EventStoreDB ----------------------------------------------------------------------------

ESDB_APPENDS_OPEN_MAX: Final = 100
"""Appends of one call of BatchAppend that have begun to come and are not whole. Clients send one after the other."""

ESDB_APPEND_S: Final = 60.0
"""How long an append that comes in several messages may take to come whole: as long as one message of that size."""

ESDB_JSON_SIZE_BYTES_MAX: Final = 4 * EVENT_SIZE_BYTES_MAX
"""Data or metadata of an event, white space included: what is nested deep and indented has three times as much of it as
of the rest. To look at so much takes up to 100 ms."""

ESDB_DEADLINE_S_MAX: Final = 24 * 3600.0
"""Clients that set no deadline send one in ten thousand years. Later than this it is none."""

ESDB_LOOKS_MAX: Final = 16
"""How often streams are looked at for an append that expects what the store does not check by itself, before its caller
is told that they change too fast. Once is nearly always enough."""

ESDB_VIOLATIONS_SIZE_BYTES_MAX: Final = 3 * 1024
"""Of the checks that failed, as they are told in the trailers of a call: clients take 8 KiB of these altogether."""

ESDB_CHECKS_MAX: Final = 100
"""Streams that one append may check without appending to them. Each is read by itself."""

ESDB_GROUP_LENGTH_MAX: Final = 1_000
"""Characters in the group's name of a persistent subscription. It comes back in every confirmation and in the trailers
of refusals, of which clients take 8 KiB."""

ESDB_SHARED_PULL_MAX: Final = 16
"""Events that one of several consumers of a persistent subscription gets at once, where they are to share them evenly:
with more, the first to come would have all that there are."""

ESDB_SUBSCRIBERS_MAX: Final = 100
"""Consumers of one persistent subscription in one process, whatever its settings say: where they take turns, each looks
at all others whenever one of them has room."""

ESDB_FILTER_WINDOW_DEFAULT: Final = 32
"""Events of $all that are looked at between two checkpoints, times the client's multiplier, where it says no window."""

ESDB_FILTER_LENGTH_MAX: Final = 2_000
"""Characters of a filter's pattern. A hundred events' names fit; to compile so much takes up to 30 ms."""

ESDB_FILTER_NESTING_MAX: Final = 8
"""Groups within groups of a pattern. What it takes to compile repeated groups doubles and more with each."""

ESDB_FILTER_WRITTEN_OUT_MAX: Final = 2 * ESDB_FILTER_LENGTH_MAX
"""Characters of a pattern whose counted repeats are written out: "a{9}" has nine. To compile it takes as long, and
as much memory, as if they were. A name has 255 characters, and no filter of names needs so many."""

ESDB_FILTER_PREFIXES_MAX: Final = 200
"""Prefixes of a filter, each a name's. To try all takes about 10 µs an event."""

ESDB_FILTER_MATCH_S: Final = 0.01
"""How long a pattern may take on one name. Patterns that are no trap take microseconds."""

ESDB_FILTER_BUDGET_S: Final = 0.02
ESDB_FILTER_BUDGET_PER_EVENT_S: Final = 0.000_05
"""What a pattern may take of a core in all, and beside that for each event. So a page of a thousand events holds up
others for less than 100 ms, however it is matched."""

ESDB_FILTER_NAMES_KEPT_MAX: Final = 1_000
"""Names of which a filter keeps whether they match. Events have few types; of streams each is mostly met again soon."""

ESDB_READ_PAGE_EVENTS: Final = 64
ESDB_READ_PAGE_EVENTS_MAX: Final = 256
"""Events that a read of a stream or of $all looks at first, and at most, before others have their turn: with a filter
that takes all that it may, that is 33 ms."""
