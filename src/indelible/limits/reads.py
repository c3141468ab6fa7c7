"""Bounds of reads and of subscriptions."""

from typing import Final

# --- Reads -----------------------------------------------------------------------------------------------------------

PAGE_EVENTS_DEFAULT: Final = 100
PAGE_EVENTS_MAX: Final = 1_000
"""Events in one page. Streaming (NDJSON) reads page after page and has no such limit."""

PAGE_SIZE_BYTES_MAX: Final = 1024 * 1024
"""A page ends early, with at least one event, once its payloads reach this; a page is held in memory whole."""

PAGE_SCAN_EVENTS_MAX: Final = 3_000
"""Index entries that one filtered page may look at, for all items of its query together, those included that are looked
up to compare. A page that finds nothing within it comes back short or empty, with a cursor further on and at_end false,
so a rare combination of filters can never make one read slow."""

TYPES_MERGED_MAX: Final = 512
"""Event types of one query item whose entries are merged for a page. Where more match, the log is walked."""

TYPES_SEARCHED_MAX: Final = 4_096
"""Event types that a store may hold, of all aggregate types together, before those of a filter are no longer looked up
first: that takes a look at each of them, for each item of a query. Far above what a large application has."""

READABLE_PAGES_MAX: Final = 4
"""Further pages that are read for one page of the feed whose caller may read nothing of what came first. Enough for
callers who may read little to come forward, and few enough that one request stays short."""

READS_WAITING_MAX: Final = 1_024
"""Reads that wait for a reader thread; beyond it callers get 503."""

FEED_PAGES_AT_ONCE_MAX: Final = 2
"""Pages of the feed that are read at once, of those that are asked for one by one. They are the longest reads there
are: so many keep both cores of a small machine busy, and leave reader threads, or connections, to all other reads,
which otherwise would wait behind every page that anybody asks for."""

# --- Subscriptions ---------------------------------------------------------------------------------------------------

SUBSCRIPTION_PAGE_EVENTS_MAX: Final = 128
"""Events that a subscription reads at once. Many subscriptions are in the middle of a page of their own at once, so
pages are smaller than those that are asked for one by one."""

SUBSCRIPTION_PAGE_SIZE_BYTES_MAX: Final = 128 * 1024
"""Such a page ends early, with at least one event, once its payloads reach this."""

SUBSCRIPTION_GATHER_MAX_S: Final = 10.0
"""How long a subscription may ask to gather what comes. Longer is for those who ask for pages when they want them."""

SUBSCRIPTION_READS_AT_ONCE_MAX: Final = 32
"""Pages that subscriptions read at once; enough to keep all readers of a database busy. Those that are read are in
memory before they are bounded, and other reads must not find the queue full of them."""

SHARED_PAGES_SIZE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Pages that subscriptions at the same place share after they were read. Those who are late by more read themselves."""

RENDERED_PAGES_SIZE_BYTES_MAX: Final = 12 * 1024 * 1024
"""Pages as they go over the wire, of all subscribers of one server. Each takes its page piece by piece, and has it read
again if it has gone by then: so one that takes nothing holds no page."""

STREAM_CHUNK_SIZE_BYTES_MAX: Final = 16 * 1024
"""What a subscription hands to its connection at once, which takes more only while less than this waits in it; over
gRPC at least one event. A reader that takes nothing costs no more than twice this, beside what the kernel holds.
Smaller would be dearer for those that do read: each piece is a step of the event loop."""

KERNEL_UNSENT_SIZE_BYTES_MAX: Final = 128 * 1024
"""What the kernel takes of a connection's answers beyond what is on its way. It would take megabytes for a reader that
takes nothing: a thousand of these would cost seconds of work, and gigabytes of the kernel's memory."""

HEARTBEAT_S: Final = 10.0
"""A silent subscription says so this often; below the proxies' 60 s, and the 15 s that the API promises."""

CHECKPOINT_INTERVAL_S: Final = 1.0
"""How often a subscription tells how far it has come while nothing matches: what a reader looks at again at most."""
