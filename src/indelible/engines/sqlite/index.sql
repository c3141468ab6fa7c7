-- What finds events by anything but their position: made from the log, and made anew from it when it is lost. Sorted
-- tables, each filled in its own order, a part of the log at a time.
CREATE TABLE state (
    indexed INTEGER NOT NULL,          -- every event up to this position is in here, and none after it
    hash TEXT NOT NULL,                -- of the event there; '' for 0
    log_inode INTEGER NOT NULL         -- of the log's file: a copy was perhaps made while it was written to
) STRICT;

CREATE TABLE aggregates (
    aggregate_type TEXT NOT NULL,
    aggregate_id TEXT NOT NULL,
    aggregate INTEGER NOT NULL,        -- position of its first event
    PRIMARY KEY (aggregate_type, aggregate_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE versions (
    aggregate INTEGER NOT NULL,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,       -- of the payload, here and below: what bounds a page is known before it is read
    PRIMARY KEY (aggregate, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_ids (
    event_id BLOB NOT NULL PRIMARY KEY,  -- 16 bytes
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE positions_by_type (
    event_type INTEGER NOT NULL,
    position INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    PRIMARY KEY (event_type, position)
) STRICT, WITHOUT ROWID;

-- Carries the event type along, so that a filter on tag and type needs nothing but this.
CREATE TABLE event_tags (
    tag TEXT NOT NULL,
    position INTEGER NOT NULL,
    event_type INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    PRIMARY KEY (tag, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_counts (
    event_type INTEGER PRIMARY KEY,
    events INTEGER NOT NULL
) STRICT;

CREATE TABLE aggregate_counts (
    aggregate_type TEXT NOT NULL PRIMARY KEY,
    aggregates INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
