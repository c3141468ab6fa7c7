"""The wire for clients of KurrentDB and EventStoreDB."""

from typing import Final

ESDB_APPENDS_OPEN_MAX: Final = 100
"""Appends of one call of BatchAppend that have begun to come and are not whole. Clients send one after the other."""

ESDB_FILTER_WINDOW_DEFAULT: Final = 32
"""Events of $all that are looked at between two checkpoints, times the client's multiplier, where it says no window."""
