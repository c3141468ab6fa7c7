"""Bounds of the JSON Schemas that event types may have."""

from typing import Final

# --- Schemas ---------------------------------------------------------------------------------------------------------

SCHEMA_SIZE_BYTES_MAX: Final = 64 * 1024
"""One schema, as compact JSON. Those that people write take a few KiB; this one is made ready in some milliseconds."""

SCHEMA_DEPTH_MAX: Final = 40
"""Nesting of a schema's arrays and objects. Each level of data takes two."""

SCHEMAS_MAX: Final = 1_000
"""Event types that have a schema in force. Every process that appends holds all of them in memory, as text, and those
that its appends need ready for use."""

SCHEMA_VERSIONS_MAX: Final = 1_000
"""Versions of one event type's schema. All are read to answer what they are: one a day for years."""

SCHEMA_PATTERN_SIZE_BYTES_MAX: Final = 64_000
"""Of one pattern when it is compiled; counted repeats make it large. The time that a pattern takes for each byte of
data grows with this, and with nothing else: it never goes back over what it has read."""

SCHEMA_PATTERNS_SIZE_BYTES_MAX: Final = 1_000_000
"""Of all patterns of a schema. They are compiled when the schema is first used, in some ten milliseconds."""

SCHEMA_WORK_MAX: Final = 16 * 1024 * 1024
"""Bytes of one event's data, times the schema's cost, which is how often the schema may look at one value. So much
takes some 50 ms on the event loop. Data of the largest event may be looked at 16 times; where a schema looks more
often, has large patterns, or compares with numbers, its events are to be smaller. Each number with an exponent below
-29 or of three digits counts as 128 bytes more; with ``uniqueItems``, whole numbers of more than 18 digits as all their
digits, each."""

SCHEMA_COST_MAX: Final = 8_192
"""Of one schema: its events may have 2 KiB then. Schemas that branch and lead back to themselves in more than one
branch go beyond it."""

SCHEMA_TOLD_WORK_MAX: Final = 16 * 1024
"""The same product, up to which it is told within which alternative data does not fit: finding that out takes a
thousand times as long as to see that it does not."""

SCHEMA_TOLD_LENGTH_MAX: Final = 300
"""Characters of what a schema says, in an error."""

SCHEMA_COMPARE_S: Final = 10.0
SCHEMA_COMPARES_MAX: Final = 2
SCHEMA_COMPARE_MEMORY_BYTES_MAX: Final = 2 * 1024 * 1024 * 1024
"""How long a process of its own may compare a schema with the version before; how many do so at once; and how much
address space each may take. Nearly all take a tenth of a second, the start of the process included."""

SCHEMA_TURN_S: Final = 0.005
"""How long data of one request is checked before others on the event loop get a turn."""

SCHEMAS_FOLLOW_S: Final = 1.0
SCHEMAS_FRESH_S: Final = 4.0
"""Where several processes share a store: how old what a process knows of the schemas may be before it looks again
beside the appends, and before they wait for that. So a schema holds everywhere within 5 s; in a store of
several partitions, while all of them are in reach."""
