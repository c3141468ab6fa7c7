"""Bounds of stores of several partitions."""

from typing import Final

PARTITIONS_MAX: Final = 64
"""Partitions of one store. A cursor holds a place in each, and has room for so many; what asks all partitions asks so
many logs."""

PARTITION_KEYS_MAX: Final = 256
"""Aggregate types with a partition key of their own. All are kept in one event, and looked through for no append: a
store has a few that must change together."""

PARTITION_KEY_LENGTH_MAX: Final = 255
"""Characters of a partition key as it is configured, like those of an aggregate's id, which it takes the place of."""

MERGED_FILLS_MAX: Final = 8
"""How often a page of the feed reads on in partitions whose events were used up, before it comes back short. A page of
one partition costs one read; where all that matches lies in few partitions, some more make it full."""
