"""The wire for clients of KurrentDB and EventStoreDB."""

from typing import Final

ESDB_APPENDS_OPEN_MAX: Final = 100
"""Appends of one call of BatchAppend that have begun to come and are not whole. Clients send one after the other."""

ESDB_GROUP_LENGTH_MAX: Final = 1_000
"""Characters in the group's name of a persistent subscription. It comes back in every confirmation and in the trailers
of refusals, of which clients take 8 KiB."""

ESDB_SHARED_PULL_MAX: Final = 16
"""Events that one of several consumers of a persistent subscription gets at once, where they are to share them evenly:
with more, the first to come would have all that there are."""

ESDB_SUBSCRIBERS_MAX: Final = 100
"""Consumers of one persistent subscription in one process, whatever its settings say: where they take turns, each looks
at all others whenever one of them has room."""
