"""Bounds of one append request, and of those that wait for the writer."""

from typing import Final

# --- One append request ----------------------------------------------------------------------------------------------

REQUEST_SIZE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Body of one request. Bounds what one connection can make the server hold in memory."""

BODIES_SIZE_BYTES_MAX: Final = 256 * 1024 * 1024
"""Bodies that the server holds at once, those of all connections together; beyond it callers get 503."""

REQUEST_EVENTS_MAX: Final = 10_000
"""Events in one request, all aggregates together. Bounds how long one request can hold the writer."""

REQUEST_TAGS_MAX: Final = 50_000
"""Tags in one request, those of all its events together. Each is an index row that is written with its event."""

REQUEST_KEYS_MAX: Final = 262_144
"""Keys in the objects of one request and texts in its lists, together; those within event_data and metadata aside. Ten
thousand appends of one event, with every field, have less than half of it."""

DECODING_TURN_S: Final = 0.005
"""How long appends of one request, or parts of one message, are decoded before others on the event loop get a turn; or
rows of an index are made. One event of the largest size takes longer."""

CONDITION_ITEMS_MAX: Final = 64
"""Items in one append condition, or in one query; each is looked for by itself."""

CONDITION_ENTRIES_MAX: Final = 1_000_000
"""Index entries that are looked at for one append condition, all its items together: about two seconds' work, a short
page at a time. Tags that stand on more events than this, and seldom together, need a later cursor or another tag."""

CONDITION_TAIL_EVENTS_MAX: Final = 16_384
"""Events that were stored since a condition was looked at, and that the writer itself looks at. One append of the most
events and one whole batch may come between; more, and the scan is repeated."""

CONDITION_TAIL_SIZE_BYTES_MAX: Final = 1024 * 1024
"""Tags of these events, as JSON; usual ones take half of that. Bounds the time for which the writer is held."""

CONDITION_SHORT_EVENTS: Final = 256
"""So few events after its cursor, and a condition is left to the writer: that takes less time than to ask a reader."""

CONDITION_NAMES_PER_EVENT: Final = 2
"""Names in a condition that keep the writer as long as one event, at the most; by this they count towards a batch."""

CONDITION_SCANS_MAX: Final = 8
"""How often a condition is looked at, before its caller is told that too much is being stored meanwhile."""

CONDITION_LONG_SCANS_MAX: Final = 32
"""Conditions under way that need more than one short page; beyond it callers get 503. The last waits ten seconds."""

CONDITION_FIRST_PAGES_MAX: Final = 2
"""First pages of conditions that are looked at at once. Most conditions need no other."""

CONDITION_FIRST_PAGE_ENTRIES: Final = 500
"""Index entries in a first page: a few for each item, all that most conditions take. Others are known early so."""

CONDITION_ENTRIES_AT_ONCE: Final = 32
"""Index entries that are looked at for a condition without asking a reader, on the event loop: as many as an append
itself looks up, and enough where the cursor is new or the tags are rare."""

CONDITION_NAMES_AT_ONCE: Final = 16
"""Names in such a condition: each is a look into the index, or at the store's event types."""

CONDITION_FURTHER_PAGES_MAX: Final = 1
"""Further pages that are looked at at once: with the first ones fewer than there are readers, so that however many
costly conditions come together, one reader is left to all others."""

QUERY_NAMES_MAX: Final = 128
"""event_types, aggregate_types or tags in one query item, each; every one is an index range to merge."""

VERSION_MAX: Final = 2**53 - 1
"""Largest version or position in any API: the largest integer that every JSON reader keeps exactly."""

# --- The append queue ------------------------------------------------------------------------------------------------

QUEUE_CALLS_MAX: Final = 8_192
"""Calls that wait for the writer: with one append each, under a second's work. Beyond it callers get 503."""

QUEUE_REQUESTS_MAX: Final = 32_768
"""Appends that wait for the writer, as far as calls with many of them bring them: such a call is taken whole or, beyond
this, refused whole with 503. Some of the largest calls fit, and memory stays bounded when appends are tiny."""

QUEUE_SIZE_BYTES_MAX: Final = 128 * 1024 * 1024
"""Payload bytes that wait for the writer; bounds memory when requests are large."""

QUEUE_TURN_EVENTS_MAX: Final = 1_024
"""Events of independent appends that one call gives to one commit, unless its next append alone has more."""

QUEUE_TURN_SIZE_BYTES_MAX: Final = 2 * 1024 * 1024
"""Payload bytes of the same."""

BATCH_EVENTS_MAX: Final = 4_096
"""Events in one commit, unless one request alone has more. Keeps one commit, and so everyone's wait, short."""

BATCH_SIZE_BYTES_MAX: Final = 8 * 1024 * 1024
"""Payload bytes in one commit, unless one request alone has more."""

LONE_APPEND_EVENTS_MAX: Final = 128
LONE_APPEND_SIZE_BYTES_MAX: Final = 512 * 1024
"""Of an append that may be committed on the event loop, for a lone caller in process: a few milliseconds of work."""

LONE_COMMIT_S_MAX: Final = 0.005
"""How long the last commit took at the most, for the next one to be waited for there. Else threads cost little more."""

LONE_TURN_S_MAX: Final = 0.002
"""How long such a caller goes on, append after append, before others on the event loop get a turn."""

RECORDED_EVENTS_MAX: Final = 4_096
"""Events of another store that are stored in one commit. More are hardly faster, and two such lots are in memory."""

RECORDED_SIZE_BYTES_MAX: Final = 8 * 1024 * 1024
"""Payload bytes in such a commit, unless one event alone has more."""

RETRY_AFTER_S: Final = 1
"""What an overloaded server tells callers to wait. By then the queue has room again."""
