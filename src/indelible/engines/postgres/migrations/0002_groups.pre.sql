-- Consumer groups. Their state is no part of the log: rows come, change and go, so the tables leave room on their pages
-- for the next versions of rows, and are vacuumed often.
CREATE TABLE {schema}.consumer_groups (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    items text NOT NULL,                -- of its query: JSON array of objects
    ack_timeout_s double precision NOT NULL,
    max_attempts integer NOT NULL,
    max_in_flight integer NOT NULL,
    created_us bigint NOT NULL,         -- since 1970, UTC
    revision bigint NOT NULL,
    reached bigint NOT NULL,            -- position up to which the log was read
    last_delivery bigint NOT NULL,
    reset_at bigint NOT NULL,           -- deliveries up to this number are void
    save_id text NOT NULL               -- UUID; of the last save, or of the making
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- An aggregate's first event that is not done. Nothing that changes is indexed.
CREATE TABLE {schema}.group_unfinished (
    consumer_group bigint NOT NULL,
    position bigint NOT NULL,
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    following bigint NOT NULL,          -- later events of the aggregate that wait behind it
    state text NOT NULL CHECK (state IN ('waiting', 'in_flight', 'parked')),
    due_us bigint NOT NULL,             -- since 1970, UTC
    attempts integer NOT NULL,
    delivery bigint NOT NULL,           -- number of its newest one; 0 is none
    member text NOT NULL,
    reason text NOT NULL,
    is_unreadable boolean NOT NULL,     -- parked because the store cannot read it
    PRIMARY KEY (consumer_group, position)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- Parked events that somebody decided to pass over.
CREATE TABLE {schema}.group_skips (
    consumer_group bigint NOT NULL,
    position bigint NOT NULL,
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    attempts integer NOT NULL,
    parked_reason text NOT NULL,
    reason text NOT NULL,
    skipped_at timestamptz NOT NULL,
    PRIMARY KEY (consumer_group, position)
)
