"""Bounds of one event, and of a snapshot."""

from typing import Final

# --- One event -------------------------------------------------------------------------------------------------------

EVENT_SIZE_BYTES_MAX: Final = 1024 * 1024
"""event_data and metadata of one event together. Larger payloads belong in an object store, linked from the event."""

LINE_SIZE_BYTES_MAX: Final = 2 * EVENT_SIZE_BYTES_MAX
"""A line of a file of events. The largest event as base64, its names and tags included, is shorter."""

METADATA_SIZE_BYTES_MAX: Final = 64 * 1024
"""metadata is for correlation ids, actors and trace headers, not for a second payload."""

JSON_DEPTH_MAX: Final = 100
"""Nesting of arrays and objects. Keeps every recursive JSON reader, the consumers' too, far from its stack limit."""

JSON_NUMBER_DIGITS_MAX: Final = 4_300
"""Digits in a row in one number. Python and others refuse to read longer integers, because the time that it takes grows
with the square of the length: such an event could be stored, but not consumed."""

CURSOR_LENGTH_MAX: Final = 1_024
"""Characters in a cursor; room for a position in each of many partitions."""

NAME_LENGTH_MAX: Final = 255
"""Characters in aggregate_type, aggregate_id and event_type. Index keys stay short enough to keep index pages full."""

TAG_LENGTH_MAX: Final = 255
"""Characters in one tag. Tags are index keys."""

TAGS_PER_EVENT_MAX: Final = 32
"""Each tag is one more index row written with the event."""

CONTENT_TYPE_LENGTH_MAX: Final = 127
"""Characters in content_type; real media types are shorter (RFC 6838 allows 127 for each half)."""

# --- Snapshots -------------------------------------------------------------------------------------------------------

SNAPSHOT_SIZE_BYTES_MAX: Final = 8 * 1024 * 1024
"""state and metadata of one snapshot together. A snapshot is read whole into memory."""
