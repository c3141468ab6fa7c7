"""Every bound of the store, in one place, each with its reason.

Sizes are in bytes, times in seconds, unless the name says otherwise. A caller that goes over a bound gets an error
that names the field and the bound; nothing is stored. Those that depend on one another are checked against one another
when they are imported (:mod:`indelible.limit_relations`).
"""

from typing import Final

from indelible.limit_relations import check_together

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

# --- One append request ----------------------------------------------------------------------------------------------

REQUEST_SIZE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Body of one request. Bounds what one connection can make the server hold in memory."""

BODIES_SIZE_BYTES_MAX: Final = 256 * 1024 * 1024
"""Bodies that the server holds at once, those of all connections together; beyond it callers get 503."""

REQUEST_EVENTS_MAX: Final = 10_000
"""Events in one request, all aggregates together. Bounds how long one request can hold the writer."""

REQUEST_KEYS_MAX: Final = 262_144
"""Keys in the objects of one request, those within event_data and metadata aside; more are repeats. Ten thousand
appends of one event, with every field, have less than half of it."""

APPENDS_AT_ONCE_MAX: Final = 500
"""Independent appends of one request that are read before others on the event loop get a turn: a few milliseconds."""

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

# --- A database file -------------------------------------------------------------------------------------------------

FILE_LOCK_WAIT_S: Final = 10
"""How long a write waits while another process holds SQLite's lock on the file, as a backup or somebody's shell may for
some seconds; below the 15 s within which callers are answered."""

FILE_LOCK_LATE_WAIT_S: Final = 1
"""The same after such a wait that was in vain, until one succeeds: those who come then have waited behind it."""

FILE_LOOK_INTERVAL_S: Final = 0.5
"""How often it is looked whether the file's name still leads to the file; a look takes microseconds."""

# --- An index beside the log -----------------------------------------------------------------------------------------

INDEX_TAIL_EVENTS_MAX: Final = 65_536
"""Events that may be stored and not be in the index yet, tags counted as further ones; beyond it appends wait. About
400 bytes of memory each; seconds of the fastest load, so that a checkpoint of the index holds up nobody."""

INDEX_ROUND_EVENTS: Final = 4_096
"""So many, and they are taken into the index: sorted, many at once touch fewer of its pages than one by one."""

INDEX_ROUND_EVENTS_MAX: Final = 16_384
"""Events that are taken in at once; about 0.1 s, for which the log's file is read at one state."""

INDEX_REBUILD_EVENTS: Final = 262_144
"""The same for an index that is made anew; about a second, and some tens of megabytes to sort them in."""

INDEX_PAUSE_S: Final = 1.0
"""How long fewer events than a round wait to be taken in; they are found in the tail as well."""

INDEX_RETRY_S: Final = 1.0
"""Between two attempts to write to an index whose disk is full, or that another process has locked."""

INDEX_RETRY_MAX_S: Final = 60.0
"""The same where an attempt is costly, as one that makes the index anew: each wait is twice the one before, to this."""

INDEX_ROOM_WAIT_S: Final = 10
"""How long an append waits for the index to come on; below the 15 s within which callers are answered."""

WAL_SIZE_BYTES_MAX: Final = 1024 * 1024 * 1024
"""Of a write-ahead log, as far as it cannot be copied because some process reads on: then appends or index wait."""

# --- A database elsewhere --------------------------------------------------------------------------------------------

DATABASE_CONNECT_TIMEOUT_S: Final = 3
"""For a connection to a database; so that an address that swallows packets is given up well within a caller's wait."""

DATABASE_TIMEOUT_S: Final = 8
"""For one transaction, waits included, or one read. Beyond it the connection is given up: the database may be dead."""

DATABASE_RETRY_TOTAL_S: Final = 11
"""How long an append is tried again inside the server, with the same event ids, while its connection breaks: long
enough for a restart of the database, and with the last attempt below 15 s for the caller."""

DATABASE_LATE_TIMEOUT_S: Final = 2
"""For an attempt that begins when that time is over: of appends that waited behind those that failed."""

DATABASE_RETRY_WAIT_S: Final = 0.25
"""Between two attempts to reach a database; also how long others that wait are refused at once after one failed."""

DATABASE_LOCK_TIMEOUT_S: Final = 6
"""How long one writer waits for the others; below the time-out of the transaction, so that the answer is definite."""

DATABASE_IDLE_TIMEOUT_S: Final = 5
"""How long the database lets a writer hold the log's end without a word: a frozen server must not stop the others."""

DATABASE_READERS_MAX: Final = 4
"""Connections for reads of one server; PostgreSQL's usual 100 then serve several servers."""

DATABASE_READER_WAIT_S: Final = 1.0
"""How long a read waits for one before it asks anew: only then does the pool look for a database that was down."""

DATABASE_PART_EVENTS: Final = 1_024
"""Events of a commit that are sent to a database at once, unless one request alone has more: it writes them while the
next are decided. With fewer, what each statement costs by itself would count."""

SMALL_APPEND_EVENTS_MAX: Final = 100
SMALL_APPEND_SIZE_BYTES_MAX: Final = 1024 * 1024
"""A smaller append that a database's statement_timeout cuts off tells of a slow database; a larger one is too large."""

PARTITION_POSITIONS: Final = 10_000_000
"""Positions in one table of a partitioned log: a few gigabytes, small enough to move and few enough to plan with."""

HEAD_POLL_S: Final = 0.1
"""How often the head is looked at where no signal tells that it moved; bounds how late a live reader is."""

HEAD_SIGNAL_INTERVAL_S: Final = 0.01
"""Least time between two signals to other servers that the head moved: many commits share one."""

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

READS_WAITING_MAX: Final = 1_024
"""Reads that wait for a reader thread; beyond it callers get 503."""

# --- Subscriptions ---------------------------------------------------------------------------------------------------

SUBSCRIPTION_PAGE_EVENTS_MAX: Final = 128
"""Events that a subscription reads at once. Many subscriptions are in the middle of a page of their own at once, so
pages are smaller than those that are asked for one by one."""

SUBSCRIPTION_PAGE_SIZE_BYTES_MAX: Final = 128 * 1024
"""Such a page ends early, with at least one event, once its payloads reach this."""

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

# --- Consumer groups -------------------------------------------------------------------------------------------------

GROUPS_MAX: Final = 256
"""Groups in one store. Each is listed whole, and measured whenever metrics are asked for."""

GROUP_ACK_TIMEOUT_DEFAULT_S: Final = 30.0
GROUP_ACK_TIMEOUT_MIN_S: Final = 0.1
"""Shorter, an acknowledgement could hardly come in time."""

GROUP_ACK_TIMEOUT_MAX_S: Final = 12 * 3600.0
"""A member that needs longer extends; one that died must not hold an aggregate for days."""

GROUP_ATTEMPTS_DEFAULT: Final = 5
GROUP_ATTEMPTS_MAX: Final = 1_000
"""Deliveries of one event. A group that is to try for ever has its parked events redriven."""

GROUP_IN_FLIGHT_DEFAULT: Final = 1_000
GROUP_IN_FLIGHT_MAX: Final = 10_000
"""Events that are with members at once. Each is a row that is written, and memory of the server."""

GROUP_AGGREGATES_MAX: Final = 20_000
"""Aggregates of one group with an event that is not done, the parked ones aside. At this many the log is not read on
until some are done: what members put off for long must not grow for ever."""

GROUP_PARKED_AGGREGATES_MAX: Final = 10_000
"""Parked aggregates of one group. With so many it is the consumer that is broken, not its events: the group stalls."""

GROUP_PULL_DEFAULT: Final = 100
GROUP_PULL_MAX: Final = 1_000
"""Events in one pull; they are in memory together."""

GROUP_PULL_SIZE_BYTES_MAX: Final = 2 * 1024 * 1024
"""Bytes of events in one pull, unless the first alone has more. Many gRPC clients take no message above 4 MiB."""

GROUP_WAIT_MAX_S: Final = 30.0
"""The longest wait of one pull; below the 60 s after which proxies close a silent connection."""

GROUP_SETTLE_MAX: Final = 1_000
"""Delivery ids, or positions of parked events, in one call."""

GROUP_NACK_DELAY_MAX_S: Final = 24 * 3600.0
"""The longest delay before an event is delivered again; it holds up its aggregate as long."""

GROUP_REASON_LENGTH_MAX: Final = 1_000
"""Characters of why an event was refused or skipped. An error's message, not its whole trace."""

GROUP_CALLS_WAITING_MAX: Final = 1_024
"""Pulls, and as many other calls, that wait for one group; beyond it callers get 503."""

GROUP_PAGES_AT_ONCE_MAX: Final = 8
"""Pages of the log that are read between two saves of a group, so that acknowledgements need not wait for more."""

GROUP_EVENTS_SIZE_BYTES_MAX: Final = 8 * 1024 * 1024
"""Events that all groups of a server together keep in memory because they were read and not yet delivered, or may be
delivered again, by a high estimate of what each takes. Others are read again."""

GROUP_IDLE_S: Final = 10.0
"""How long a server remembers a group that nobody asks anything of; then all it knows is what is stored."""

GROUPS_IDLE_PLACES_MAX: Final = 20_000
"""Events that such groups of one server know of together: some 16 MB. Beyond it the longest idle ones are forgotten."""

GROUP_NEXT_EVENTS_MAX: Final = 64
"""Events of one aggregate, behind the one that is not done, whose places a group remembers; others are looked up."""

GROUP_COMMANDS_MAX: Final = 256
"""Commands that ``indelible group consume`` runs at once: each is a process, and a pull that waits."""

GROUP_PLACES_MAX: Final = 200_000
"""Such places of all its aggregates together: some 20 MB. Beyond it the next event is looked up each time."""

GROUP_POLL_S: Final = 0.2
"""How often a group that has nothing to give looks for what other servers did: any acknowledgement frees one."""

GROUP_IDLE_POLL_S: Final = 2.0
"""The same while nothing is with members: only what people decide, such as a redrive, is then found this way."""

GROUP_SAVE_PAUSE_S: Final = 0.008
"""Between two saves of a group by one of several servers, on average, or twice what a load takes where that is more:
time for another to load, decide and save. Without it the one that is ahead would always be first."""

# --- Relays ----------------------------------------------------------------------------------------------------------

RELAYS_MAX: Final = 64
"""Relays in one store. Each is listed whole, and its lag is looked up whenever that is asked for."""

RELAY_LEASE_MIN_S: Final = 0.2
RELAY_LEASE_S: Final = 6.0
RELAY_LEASE_MAX_S: Final = 300.0
RELAY_CLAIM_INTERVAL_S: Final = 2.0
"""How long a relay is its owner's without a word, and how often another asks for it: it takes over within 10 s."""

RELAY_SAVES_MAX: Final = 32
RELAY_SAVE_PAUSE_S: Final = 0.2
"""How often a change is decided anew because others came first; and between two checkpoints, each of them a commit."""

RELAY_RETRY_WAIT_MIN_S: Final = 0.1
RELAY_RETRY_WAIT_MAX_S: Final = 5.0
RELAY_BROKER_TIMEOUT_S: Final = 10.0
"""Between two attempts to reach a broker, which is found soon once it is back; and for its answer to a whole page."""

RELAY_FOREIGN_MESSAGES_MAX: Final = 1_000
"""Others' messages behind the last one of a relay that are looked through for it, one question to the broker each."""

# --- Snapshots -------------------------------------------------------------------------------------------------------

SNAPSHOT_SIZE_BYTES_MAX: Final = 8 * 1024 * 1024
"""state and metadata of one snapshot together. A snapshot is read whole into memory."""

# --- Server ----------------------------------------------------------------------------------------------------------

CONNECTIONS_MAX: Final = 4_096
"""Open HTTP connections; more get 503. Below the usual limit of file descriptors."""

CONNECTIONS_WAITING_MAX: Final = 2_048
"""Connections that the kernel holds until the server accepts them; covers a burst while the event loop is busy."""

HEADER_SIZE_BYTES_MAX: Final = 32 * 1024
"""Request line and headers together, and what goes with a chunked body beside it: extensions of chunks and trailers."""

CHUNKS_AT_ONCE_MAX: Final = 4_096
"""Chunks of one body that are taken in one turn of the event loop: some milliseconds, however small they are."""

UNREAD_SIZE_BYTES_MAX: Final = 64 * 1024
"""What has come on one connection and waits: of a body, for its handler; of further requests, for the answers before
theirs. Beyond it the connection is not read, which is its backpressure."""

LINK_SIZE_BYTES_MAX: Final = 4 * 1024
"""The header with the address of the next page. Many clients take no line of a head above 8 KiB."""

KEEP_ALIVE_S: Final = 75
"""How long an idle connection stays open; above the 60 s of load balancers, so that they close first."""

DISCARDED_BODY_SIZE_BYTES_MAX: Final = 4 * REQUEST_SIZE_BYTES_MAX
"""How much of a refused request is read and thrown away, so that its sender gets to read why it was refused."""

DISCARDED_BODY_TIMEOUT_S: Final = 10
"""How long that may take."""

SHUTDOWN_GRACE_S: Final = 20
"""How long a stopping server waits for what is in flight. Below the 30 s after which Kubernetes kills."""

SHUTDOWN_STALLED_S: Final = 1.0
"""How long a stopping server waits for a reader that takes nothing of what lies ready for it. Shorter than the grace: a
subscriber that hangs must not use up the time of all others."""

READY_PROOF_S: Final = 1.0
"""How long an append that was stored proves that others can be. Beyond it /readyz tries the way that they take."""

READY_TRIAL_SIZE_BYTES: Final = 64 * 1024
"""What such a trial writes at the least, without storing it: more than a small append needs."""

READY_TRIAL_LOCK_TIMEOUT_S: Final = 0.6
"""How long it waits for other writers to a database; below what the probe itself waits for its answer."""

STORE_ANSWER_TIMEOUT_S: Final = 0.8
"""How long /readyz and /metrics wait for the store; below the 1 s that Kubernetes waits, so that a probe learns why."""

WORKERS_MAX: Final = 64
"""Worker processes of one server. Each takes memory and connections; more than there are cores gain nothing."""

WORKER_RESTART_WAIT_MIN_S: Final = 0.1
"""Before a worker that died is replaced; doubled each time while its successors die soon after they start."""

WORKER_RESTART_WAIT_MAX_S: Final = 5.0
"""The longest such wait; and how long a worker must have lived for the waits to begin anew."""

WORKER_KILL_AFTER_S: Final = 5.0
"""Beyond the grace of a stop, before a worker that does not end is killed: what is answered still has to be closed."""

WORKER_METRICS_TIMEOUT_S: Final = 4.0
"""How long a worker waits for the others' metrics; above their wait for the store, below Prometheus' 10 s."""

BACKGROUND_RESTART_WAIT_MIN_S: Final = 0.5
"""Before a part that runs beside the requests and has failed is started again; doubled each time that it fails soon."""

BACKGROUND_RESTART_WAIT_MAX_S: Final = 30.0
"""The longest such wait; and how long a part must have run for the waits to begin anew."""

BACKGROUND_STOP_S: Final = 2.0
"""How long a server that stops waits for these parts, after its grace for callers: what they do is done again from
their checkpoints. The store is closed after it, and before a worker would be killed."""

# --- gRPC ------------------------------------------------------------------------------------------------------------

GRPC_CALLS_MAX: Final = 4_096
"""Calls under way at once in one process, subscriptions and other streams included; more get UNAVAILABLE."""

GRPC_CALLS_PER_CONNECTION_MAX: Final = 1_024
"""Calls under way at once on one connection. The client's library makes further ones wait."""

GRPC_BATCHES_UNDER_WAY_MAX: Final = 16
"""Batches of one stream that wait for their commit, half of them while others are stored. Then it is not read."""

GRPC_UNANSWERED_IDS_MAX: Final = 1_000
"""Delivery ids that one stream's member has settled without taking the answers. Beyond it the stream is not read."""

GRPC_LARGE_MESSAGES_SIZE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Messages of streams, above two pieces each, that readers have yet to take; half of it for new readers."""

GRPC_WAITING_SIZE_BYTES_MAX: Final = 256 * 1024 * 1024
"""Such messages that wait for that room, made already; half of it for new readers. More get UNAVAILABLE."""

GRPC_STALLED_S: Final = 5.0
"""How long a reader may leave one lying while others wait for room: time for the largest event at 3 Mbit/s."""

GRPC_UNREAD_SIZE_BYTES_MAX: Final = 256 * 1024
"""What has come on one stream and waits for its handler, beyond the message that is being put together."""

GRPC_CONTINUATIONS_MAX: Final = 32
"""Frames that the head of one call may come in. All of them together are bounded as a head is; empty ones are not."""

GRPC_MESSAGE_S: Final = 60.0
"""How long a message may take to come whole after its first bytes: time for the largest over a link of 3 Mbit/s."""

GRPC_TURN_S: Final = 0.005
"""How long the frames of one connection are taken before others' turn. One takes up to 20 ms: the largest head."""

GRPC_IDLE_FRAMES_MAX: Final = 1_000
GRPC_IDLE_FRAMES_S: Final = 10.0
"""Pings, settings and the like that a connection may send within so many seconds while it begins no call and is sent no
answer. Clients ping every few seconds, or measure the network by a ping when an answer comes."""

GRPC_SETTINGS_MAX: Final = 200
"""Settings that a connection may send within the same time, whatever else it does: each may widen all calls' windows.
Clients send them once, and when they have measured the network anew, which they do every 100 ms at most."""

GRPC_RESETS_MAX: Final = 10_000
"""Calls that a connection may give up within the same time: a tenth of the event loop's. More are an attack."""

GRPC_KEEP_ALIVE_S: Final = 30.0
"""How often the server pings a silent connection: clients that vanished are noticed, and proxies see it is alive."""

GRPC_KEEP_ALIVE_TIMEOUT_S: Final = 20.0
"""How long the answer to such a ping may take."""

ERROR_STATUS_MESSAGE_SIZE_BYTES_MAX: Final = 600
"""An error's message in the status itself, as it is sent: percent-encoded. Its details have all of it. Clients take
8 KiB of trailers; above that some calls fail and some do not."""

GRPC_STOP_S: Final = 0.5
"""How long a stopping server lets calls that are not the store's own (health, reflection) go on after the others."""

GRPC_CANCEL_S: Final = 2.0
"""How long it then lets calls that are cancelled put things in order."""

HEALTH_WATCH_INTERVAL_S: Final = 1.0
"""How often a watched health is looked at."""

# --- Clients ---------------------------------------------------------------------------------------------------------

CLIENT_BATCH_APPENDS_MAX: Final = 256
"""Appends that one client sends in one POST /v1/batch."""

CLIENT_BATCH_APPENDS_MIN: Final = 16
"""Appends that wait together and are not shared out over several requests: a request costs more than they do."""

CLIENT_BATCH_SIZE_BYTES_MAX: Final = 8 * 1024 * 1024
"""Bytes of JSON in such a request, unless one append alone has more; half of what a server takes."""

CLIENT_BATCHES_IN_FLIGHT_MAX: Final = 2
"""Such requests under way at once: one at the server, while the next is made and the answer of the last is read."""

CLIENT_APPENDS_WAITING_MAX: Final = 10_000
"""Appends that wait in one client; further callers wait in their await, which is the backpressure."""

CLIENT_TIMEOUT_S: Final = 30.0
"""One request of a client. A server that is alive answers in far less."""

CLIENT_CONNECT_TIMEOUT_S: Final = 5.0
"""For a TCP connection to come about; so an address that swallows packets does not use up the whole time-out."""

CLIENT_SILENCE_MAX_S: Final = 3 * HEARTBEAT_S
"""How long a subscription may say nothing before the client connects anew: some heartbeats."""

CLIENT_GIVE_BACK_TIMEOUT_S: Final = 5.0
"""How long a consumer that leaves tries to give back what it has not begun. Beyond it the group's time-out does so."""

CLIENT_GIVE_BACK_DELAY_S: Final = 0.25
"""Before that is delivered again. The server may learn later that the consumer's own pull, which waits, has ended."""

CLIENT_RETRY_TOTAL_MAX_S: Final = 60.0
"""A retry is always safe (the event ids are the client's), so a client rides over a restart of the server."""

CLIENT_RETRY_ATTEMPTS_MAX: Final = 32
"""More than fit into the total with the growing waits; ends the loop whatever the clock does."""

CLIENT_RETRY_WAIT_MAX_S: Final = 5.0
"""Between two attempts, unless the server asks for more; so a server that is back is found soon."""

CLIENT_MESSAGE_SIZE_BYTES_MAX: Final = 2 * REQUEST_SIZE_BYTES_MAX
"""Of one answer over gRPC. The largest, a snapshot with a page of events, is shorter."""

BENCH_SILENCE_MAX_S: Final = 10.0
"""How long a measurement goes on while nothing succeeds. A server that is restarted is back by then."""

check_together(globals())
