"""The wire for clients of KurrentDB and EventStoreDB."""

from typing import Final

# --- Clients of KurrentDB and EventStoreDB ----------------------------------------------------------------------------

ESDB_APPENDS_OPEN_MAX: Final = 100
"""Appends of one call of BatchAppend that have begun to come and are not whole. Clients send one after the other."""
