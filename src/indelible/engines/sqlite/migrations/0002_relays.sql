-- Relays to message brokers: how far each has come, and who owns it. As groups, no part of the log.
CREATE TABLE relays (
    name TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    owner TEXT NOT NULL,
    lease_until_us INTEGER NOT NULL,   -- since 1970, UTC
    position INTEGER NOT NULL,         -- every matching event up to here is published
    published INTEGER NOT NULL,
    is_paused INTEGER NOT NULL CHECK (is_paused IN (0, 1)),
    is_stopped INTEGER NOT NULL CHECK (is_stopped IN (0, 1)),
    problem TEXT,
    reset_epoch INTEGER NOT NULL,      -- the epoch that the last reset began; 0 is none
    save_id TEXT NOT NULL,             -- UUID; of the last save
    beside TEXT NOT NULL               -- JSON; replays, and events that were set aside
) STRICT, WITHOUT ROWID;
