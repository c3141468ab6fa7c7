-- The log. An event's row is written once; triggers refuse any change.
CREATE TABLE aggregate_types (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    aggregates INTEGER NOT NULL DEFAULT 0  -- how many aggregates there are; kept by every append
) STRICT;

CREATE TABLE aggregates (
    id INTEGER PRIMARY KEY,
    aggregate_type INTEGER NOT NULL REFERENCES aggregate_types (id),
    aggregate_id TEXT NOT NULL,
    UNIQUE (aggregate_type, aggregate_id)
) STRICT;

-- One row for each pair of aggregate type and event type, so that one integer in an event's row, and one index on it,
-- serves filters on either.
CREATE TABLE event_types (
    id INTEGER PRIMARY KEY,
    aggregate_type INTEGER NOT NULL REFERENCES aggregate_types (id),
    name TEXT NOT NULL,
    events INTEGER NOT NULL DEFAULT 0,  -- how many events there are; kept by every append
    UNIQUE (aggregate_type, name)
) STRICT;

CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    aggregate INTEGER NOT NULL REFERENCES aggregates (id),
    version INTEGER NOT NULL,
    event_type INTEGER NOT NULL REFERENCES event_types (id),
    event_id BLOB NOT NULL,            -- 16 bytes
    timestamp_us INTEGER NOT NULL,     -- since 1970, UTC
    event_data TEXT,                   -- JSON text; NULL where the event holds other bytes
    event_data_base64 TEXT,            -- the other bytes
    metadata TEXT,                     -- JSON text of an object; NULL is {}
    tags TEXT,                         -- JSON array of strings, sorted; NULL is []
    content_type TEXT,                 -- NULL is application/json
    hash BLOB NOT NULL                 -- 32 bytes
) STRICT;

-- These two make it impossible to store a version or an event id twice, even by a bug.
CREATE UNIQUE INDEX events_by_aggregate ON events (aggregate, version);
CREATE UNIQUE INDEX events_by_event_id ON events (event_id);
-- An index ends in the table's key, so this one is ordered by event_type and position.
CREATE INDEX events_by_event_type ON events (event_type);

-- Carries the event type along, so that a filter on tag and type needs nothing but this index.
CREATE TABLE event_tags (
    tag TEXT NOT NULL,
    position INTEGER NOT NULL REFERENCES events (position),
    event_type INTEGER NOT NULL REFERENCES event_types (id),
    PRIMARY KEY (tag, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshots (
    aggregate INTEGER NOT NULL REFERENCES aggregates (id),
    version INTEGER NOT NULL,
    timestamp_us INTEGER NOT NULL,
    state TEXT NOT NULL,               -- JSON text
    metadata TEXT NOT NULL,            -- JSON text of an object
    PRIMARY KEY (aggregate, version)
) STRICT;

CREATE TRIGGER events_are_never_updated BEFORE UPDATE ON events
BEGIN SELECT raise(ABORT, 'events are immutable: UPDATE refused'); END;
CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
BEGIN SELECT raise(ABORT, 'events are immutable: DELETE refused'); END;
-- INSERT OR REPLACE deletes without firing delete triggers (recursive_triggers is off by default), so it is refused here.
CREATE TRIGGER events_are_only_appended BEFORE INSERT ON events
WHEN new.position IS NOT (SELECT coalesce(max(position), 0) + 1 FROM events)
    OR EXISTS (SELECT 1 FROM events WHERE event_id = new.event_id)
    OR EXISTS (SELECT 1 FROM events WHERE aggregate = new.aggregate AND version = new.version)
BEGIN SELECT raise(ABORT, 'events are immutable: INSERT may only append'); END;
CREATE TRIGGER event_tags_are_never_updated BEFORE UPDATE ON event_tags
BEGIN SELECT raise(ABORT, 'events are immutable: UPDATE refused'); END;
CREATE TRIGGER event_tags_are_never_deleted BEFORE DELETE ON event_tags
BEGIN SELECT raise(ABORT, 'events are immutable: DELETE refused'); END;
CREATE TRIGGER aggregates_are_never_updated BEFORE UPDATE ON aggregates
BEGIN SELECT raise(ABORT, 'events are immutable: UPDATE refused'); END;
CREATE TRIGGER aggregates_are_never_deleted BEFORE DELETE ON aggregates
BEGIN SELECT raise(ABORT, 'events are immutable: DELETE refused'); END;
CREATE TRIGGER event_types_keep_their_names BEFORE UPDATE OF id, aggregate_type, name ON event_types
BEGIN SELECT raise(ABORT, 'events are immutable: UPDATE refused'); END;
CREATE TRIGGER event_types_are_never_deleted BEFORE DELETE ON event_types
BEGIN SELECT raise(ABORT, 'events are immutable: DELETE refused'); END;
CREATE TRIGGER aggregate_types_keep_their_names BEFORE UPDATE OF id, name ON aggregate_types
BEGIN SELECT raise(ABORT, 'events are immutable: UPDATE refused'); END;
CREATE TRIGGER aggregate_types_are_never_deleted BEFORE DELETE ON aggregate_types
BEGIN SELECT raise(ABORT, 'events are immutable: DELETE refused'); END;
-- Tags are written before their event, so that none can be added to an event that is there.
CREATE TRIGGER event_tags_are_only_added BEFORE INSERT ON event_tags
WHEN new.position <= (SELECT max(position) FROM events)
BEGIN SELECT raise(ABORT, 'events are immutable: INSERT may only append'); END;
CREATE TRIGGER aggregates_are_only_added BEFORE INSERT ON aggregates
WHEN EXISTS (SELECT 1 FROM aggregates WHERE id = new.id)
    OR EXISTS (SELECT 1 FROM aggregates WHERE aggregate_type = new.aggregate_type AND aggregate_id = new.aggregate_id)
BEGIN SELECT raise(ABORT, 'events are immutable: INSERT may only append'); END;
CREATE TRIGGER event_types_are_only_added BEFORE INSERT ON event_types
WHEN EXISTS (SELECT 1 FROM event_types WHERE id = new.id)
    OR EXISTS (SELECT 1 FROM event_types WHERE aggregate_type = new.aggregate_type AND name = new.name)
BEGIN SELECT raise(ABORT, 'events are immutable: INSERT may only append'); END;
CREATE TRIGGER aggregate_types_are_only_added BEFORE INSERT ON aggregate_types
WHEN EXISTS (SELECT 1 FROM aggregate_types WHERE id = new.id)
    OR EXISTS (SELECT 1 FROM aggregate_types WHERE name = new.name)
BEGIN SELECT raise(ABORT, 'events are immutable: INSERT may only append'); END;
