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
