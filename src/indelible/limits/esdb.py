"""The wire for clients of KurrentDB and EventStoreDB."""

from typing import Final

ESDB_APPENDS_OPEN_MAX: Final = 100
"""Appends of one call of BatchAppend that have begun to come and are not whole. Clients send one after the other."""

ESDB_APPEND_S: Final = 60.0
"""How long an append that comes in several messages may take to come whole: as long as one message of that size."""

ESDB_DEADLINE_S_MAX: Final = 24 * 3600.0
"""Clients that set no deadline send one in ten thousand years. Later than this it is none."""

ESDB_LOOKS_MAX: Final = 16
"""How often streams are looked at for an append that expects what the store does not check by itself, before its caller
is told that they change too fast. Once is nearly always enough."""

ESDB_VIOLATIONS_SIZE_BYTES_MAX: Final = 3 * 1024
"""Of the checks that failed, as they are told in the trailers of a call: clients take 8 KiB of these altogether."""

ESDB_CHECKS_MAX: Final = 100
"""Streams that one append may check without appending to them. Each is read by itself; and all of their types must have
room in one item of an append condition, beside the type of metadata."""
