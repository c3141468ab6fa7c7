"""Bounds of what a store is kept in."""

from typing import Final

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

DATABASE_CONFIRMED_S: Final = 5.0
"""How long a database that has shown by a commit that it leads is taken to lead: less than it takes until another does,
as whoever watches over them has to be sure that the first is gone. Patroni waits for 6 s at the least."""

DATABASE_CONFIRM_TIMEOUT_S: Final = 3
"""How long the database lets such a commit wait for a standby, before another host is asked."""

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

# --- Apache Cassandra ------------------------------------------------------------------------------------------------

CASSANDRA_HOSTS_MAX: Final = 16
"""Nodes that a URL names: any of them tells of all others."""

CASSANDRA_TIMEOUT_S: Final = 2
"""For one request to a node. A node that was paused keeps its connections; this and the heartbeats find it out, so that
writes go on within four seconds."""

CASSANDRA_TIMEOUT_PER_ROW_S: Final = 0.0005
"""What is added to that for each row of a commit: the nodes write each of ten thousand several times."""

CASSANDRA_HEARTBEAT_INTERVAL_S: Final = 1
"""How often an idle connection to a node is asked for a sign of life."""

CASSANDRA_HEARTBEAT_TIMEOUT_S: Final = 1
"""How long that sign may take, before the connection is given up."""

CASSANDRA_RECONNECT_S: Final = 1
"""Between two attempts to reach a node that is down."""

CASSANDRA_DEFINE_TIMEOUT_S: Final = 60
"""For a table that is made, and until all nodes have it: each writes it down, and what waits behind that waits for
seconds on slow disks. Nobody's append waits for it."""

CASSANDRA_DEFINE_HEARTBEAT_S: Final = 30
"""How long a node may give no sign of life meanwhile. The driver's own."""

CASSANDRA_DEFINE_SETTLE_S: Final = 10
"""How long what was asked for may come late, where the answer was lost, before it is asked for again."""

CASSANDRA_REQUESTS_MAX: Final = 256
"""Requests of one process that are under way to one cluster; more wait here. A connection has room for many more, but
what the nodes cannot do at once only grows old with them, and times out."""

CASSANDRA_COMMIT_SIZE_BYTES_MAX: Final = 1024 * 1024
"""Lines of a commit that go through Paxos, which writes them several times on each node. Larger commits write theirs
beforehand, and through Paxos goes where they are."""

CASSANDRA_BUCKET_EVENTS_MAX: Final = 100_000
"""Events in one Cassandra partition of the log; more, and the next commit begins another."""

CASSANDRA_BUCKET_SIZE_BYTES_MAX: Final = 64 * 1024 * 1024
"""The same by their lines. Beyond 100 MB a partition is slow to compact and to repair."""

CASSANDRA_SLICE_POSITIONS: Final = 4_000_000
"""Positions in one Cassandra partition of an index entry's name: 80 MB where every event has the name, and few to look
through where hardly any has. For ever: it is part of the keys."""

CASSANDRA_SLICE_VERSIONS: Final = 1_000_000
"""The same of an aggregate's versions."""

CASSANDRA_SHARDS: Final = 4
"""Cassandra partitions that the aggregates of one type are spread over; a list of them asks them all. For ever."""

CASSANDRA_ROWS_AT_ONCE: Final = 500
"""Index rows that are written, or names that are looked for, in one request."""

CASSANDRA_PARTITIONS_AT_ONCE: Final = 10
"""Cassandra partitions with little to write that share a request. Nodes complain of batches over more in their logs."""

CASSANDRA_LINES_UNSEEN_MAX: Final = 16
"""Events that are read before it is known how large they are; of more the sizes are looked at first, so that a page of
large events is cut before it is in memory."""

CASSANDRA_AGGREGATES_KEPT_MAX: Final = 16_384
"""Aggregates whose versions a server that appends keeps in memory of each log, those used last: about 6 MB."""

CASSANDRA_LOST_WAIT_S: Final = 0.02
"""How long a server that lost the race for a log's end to another waits at the most, before it tries again."""

CASSANDRA_TAIL_EVENTS: Final = 256
"""Events that are read at once of what another server has appended, or of what the index lacks, and whose index is
written before that of others: where that fails, so many are begun anew."""

CASSANDRA_PARTS_AT_ONCE: Final = 32
"""Requests of one append that are made and sent at once, where it takes many: as many as a node has threads for writes
unless it is told otherwise. More would take memory, and the room of others."""

CASSANDRA_BEHIND_EVENTS_MAX: Final = 4_096
"""Events by which others may have gone on before a server that appends again reads them all. Beyond that it forgets
what it knew of the log, and learns it anew."""

CASSANDRA_RECALLED_MAX: Final = 1_024
"""Events from before a server began to append that it reads for a condition which was not held against them. Where
there are more, the condition is looked at anew."""

CASSANDRA_SLICES_AT_ONCE: Final = 16
"""Cassandra partitions that are looked through at once: for entries of a name that the one before lacks, or of many
names."""

CASSANDRA_GROUP_PLACES_MAX: Final = 200_000
"""Events that are not done of which a process remembers where they stand, so that a save need not look: some 60 MB at
most. Beyond it the groups that were used longest ago are read again."""

CASSANDRA_COPIES_DEFAULT: Final = 3
"""Of everything, in each datacenter: with fewer one node that is down stops all writes."""

CASSANDRA_COPIES_MAX: Final = 15
"""More make every write slower, and nothing safer."""
