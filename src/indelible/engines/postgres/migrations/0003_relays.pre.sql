-- Relays to message brokers: how far each has come, and who owns it. As groups, no part of the log.
CREATE TABLE {schema}.relays (
    name text COLLATE "C" PRIMARY KEY,
    revision bigint NOT NULL,
    epoch bigint NOT NULL,
    owner text NOT NULL,
    lease_until_us bigint NOT NULL,     -- since 1970, UTC
    position bigint NOT NULL,           -- every matching event up to here is published
    published bigint NOT NULL,
    is_paused boolean NOT NULL,
    is_stopped boolean NOT NULL,
    problem text,
    reset_epoch bigint NOT NULL,        -- the epoch that the last reset began; 0 is none
    save_id text NOT NULL,              -- UUID; of the last save
    beside text NOT NULL                -- JSON; replays, and events that were set aside
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)
