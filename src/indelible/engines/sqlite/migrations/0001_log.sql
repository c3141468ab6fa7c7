-- The log, and all else that must not be lost. An event's row is written once, by the one connection that has triggers
-- off; for everybody else triggers refuse any change. What finds events by anything but their position is in another
-- file (../index.sql), and follows from this one.

-- One row for each pair of aggregate type and event type, so that one integer serves filters on either.
CREATE TABLE event_types (
    id INTEGER PRIMARY KEY,
    aggregate_type TEXT NOT NULL,
    name TEXT NOT NULL,
    in_line TEXT NOT NULL GENERATED ALWAYS AS (
        '"event_type":' || json_quote(name) || ',"aggregate_type":' || json_quote(aggregate_type)
    ) STORED,
    UNIQUE (aggregate_type, name)
) STRICT;

-- An event's line is put together from its row, all that the hash chain runs over. Columns that the index is made of come
-- first, so that none is read past long data. An aggregate is known by the position of its first event. There is no index:
-- a commit writes the pages at the end, and no others.
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    aggregate INTEGER NOT NULL,        -- position of the aggregate's first event
    version INTEGER NOT NULL,
    event_type INTEGER NOT NULL REFERENCES event_types (id),
    event_id TEXT NOT NULL,            -- as in the line, like the next two: to make these from less takes longer than to
    timestamp TEXT NOT NULL,           -- read them
    hash TEXT NOT NULL,
    aggregate_id TEXT NOT NULL,
    tags TEXT,                         -- JSON array of strings, sorted; NULL is []
    content_type TEXT,                 -- NULL is application/json
    metadata TEXT,                     -- JSON text of an object; NULL is {}
    event_data TEXT,                   -- JSON text; NULL where the event holds other bytes
    event_data_base64 TEXT             -- the other bytes
) STRICT;

CREATE TABLE snapshots (
    aggregate INTEGER NOT NULL,        -- position of its first event
    version INTEGER NOT NULL,
    timestamp_us INTEGER NOT NULL,     -- since 1970, UTC
    state TEXT NOT NULL,               -- JSON text
    metadata TEXT NOT NULL,            -- JSON text of an object
    PRIMARY KEY (aggregate, version)
) STRICT;

CREATE TRIGGER events_are_never_updated BEFORE UPDATE ON events
BEGIN SELECT raise(ABORT, 'events are immutable: UPDATE refused'); END;
CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
BEGIN SELECT raise(ABORT, 'events are immutable: DELETE refused'); END;
-- INSERT OR REPLACE deletes without firing delete triggers (recursive_triggers is off by default), so it is refused here;
-- and nobody else may append: only the store knows which ids and versions there are.
CREATE TRIGGER events_are_only_appended_by_the_store BEFORE INSERT ON events
BEGIN SELECT raise(ABORT, 'events are immutable: only the store may append'); END;
CREATE TRIGGER event_types_are_never_updated BEFORE UPDATE ON event_types
BEGIN SELECT raise(ABORT, 'events are immutable: UPDATE refused'); END;
CREATE TRIGGER event_types_are_never_deleted BEFORE DELETE ON event_types
BEGIN SELECT raise(ABORT, 'events are immutable: DELETE refused'); END;
CREATE TRIGGER event_types_are_only_added_by_the_store BEFORE INSERT ON event_types
BEGIN SELECT raise(ABORT, 'events are immutable: only the store may append'); END;

-- Consumer groups. Their state is no part of the log: rows come, change and go.
CREATE TABLE consumer_groups (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    items TEXT NOT NULL,               -- of its query: JSON array of objects
    ack_timeout_s REAL NOT NULL,
    max_attempts INTEGER NOT NULL,
    max_in_flight INTEGER NOT NULL,
    created_us INTEGER NOT NULL,       -- since 1970, UTC
    revision INTEGER NOT NULL,
    reached INTEGER NOT NULL,          -- position up to which the log was read
    last_delivery INTEGER NOT NULL,
    reset_at INTEGER NOT NULL,         -- deliveries up to this number are void
    save_id TEXT NOT NULL              -- UUID; of the last save, or of the making
) STRICT;

-- An aggregate's first event that is not done.
CREATE TABLE group_unfinished (
    consumer_group INTEGER NOT NULL REFERENCES consumer_groups (id),
    position INTEGER NOT NULL,
    aggregate_type TEXT NOT NULL,
    aggregate_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    following INTEGER NOT NULL,        -- later events of the aggregate that wait behind it
    state TEXT NOT NULL CHECK (state IN ('waiting', 'in_flight', 'parked')),
    due_us INTEGER NOT NULL,           -- since 1970, UTC
    attempts INTEGER NOT NULL,
    delivery INTEGER NOT NULL,         -- number of its newest one; 0 is none
    member TEXT NOT NULL,
    reason TEXT NOT NULL,
    is_unreadable INTEGER NOT NULL CHECK (is_unreadable IN (0, 1)),  -- parked because the store cannot read it
    PRIMARY KEY (consumer_group, position)
) STRICT, WITHOUT ROWID;

-- Parked events that somebody decided to pass over.
CREATE TABLE group_skips (
    consumer_group INTEGER NOT NULL REFERENCES consumer_groups (id),
    position INTEGER NOT NULL,
    aggregate_type TEXT NOT NULL,
    aggregate_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    parked_reason TEXT NOT NULL,
    reason TEXT NOT NULL,
    skipped_us INTEGER NOT NULL,       -- since 1970, UTC
    PRIMARY KEY (consumer_group, position)
) STRICT, WITHOUT ROWID;
