-- One generation. What a document has stands in its row, which is where a condition is looked at; the indexes say which
-- documents to look at.
CREATE TABLE {schema}.documents_{number} (
    timestamp_us bigint NOT NULL,
    position bigint NOT NULL,
    event_id uuid NOT NULL,
    version bigint NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id text COLLATE "C" NOT NULL,
    tags text[] COLLATE "C",
    terms integer[],                   -- numbers for words, tags, and values of fields that have several
    words text COLLATE "C"             -- all words in their order, a space around each
);

-- In the order of searches, and what a document is known by: each partition of the log may have an event of one id.
CREATE UNIQUE INDEX documents_{number}_place ON {schema}.documents_{number} (timestamp_us, position, event_id);
CREATE INDEX documents_{number}_event_id ON {schema}.documents_{number} (event_id);
CREATE INDEX documents_{number}_aggregate ON {schema}.documents_{number} (aggregate_type, aggregate_id);
CREATE INDEX documents_{number}_aggregate_id ON {schema}.documents_{number} (aggregate_id);
CREATE INDEX documents_{number}_event_type ON {schema}.documents_{number} (event_type);
CREATE INDEX documents_{number}_version ON {schema}.documents_{number} (version);
-- What is added is gathered, and sorted in when there is much of it: while the generation is built, very much.
CREATE INDEX documents_{number}_terms ON {schema}.documents_{number} USING gin (terms)
WITH (fastupdate = on, gin_pending_list_limit = {pending_building_kib});
