-- Which generations there are. Each has a table of its own, documents_N.
CREATE TABLE {schema}.catalog (
    format integer NOT NULL,           -- of all tables of this schema
    last_number bigint NOT NULL        -- of the newest generation that was ever begun
);

CREATE TABLE {schema}.generations (
    number bigint PRIMARY KEY,
    fields text NOT NULL,              -- JSON: declared paths, each with its type
    cursor text NOT NULL,              -- every event up to here is in it
    documents bigint NOT NULL,
    log_hash text NOT NULL,            -- what the log was up to there
    is_serving boolean NOT NULL UNIQUE -- whether it is searched; else it is being built
);

INSERT INTO {schema}.catalog VALUES ({format}, {last_number});
