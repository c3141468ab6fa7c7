-- One generation of the index. A document is known by its place number: its timestamp in microseconds, times 32, and
-- after it where that is taken. So documents stand in the order of searches, whatever finds them.
CREATE TABLE state (
    cursor TEXT NOT NULL,              -- every event up to here is in it
    log_hash TEXT NOT NULL,            -- what the log was up to there
    fields TEXT NOT NULL,              -- JSON: declared paths, each with its type
    documents INTEGER NOT NULL,
    displaced_us INTEGER NOT NULL,     -- the most by which a place number is beyond its timestamp
    is_in_order INTEGER NOT NULL       -- whether each document came behind all before it
) STRICT;

CREATE TABLE names (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE          -- of an event type or an aggregate type
) STRICT;

CREATE TABLE aggregates (
    aggregate INTEGER PRIMARY KEY,
    aggregate_type TEXT NOT NULL,
    aggregate_id TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX aggregates_by_name ON aggregates (aggregate_type, aggregate_id);
CREATE INDEX aggregates_by_id ON aggregates (aggregate_id);

CREATE TABLE documents (
    doc INTEGER PRIMARY KEY,           -- the place number
    displaced_us INTEGER NOT NULL,     -- by which it is beyond the timestamp
    position INTEGER NOT NULL,
    event_id BLOB NOT NULL,            -- 16 bytes
    event_type INTEGER NOT NULL,
    aggregate_type INTEGER NOT NULL,
    aggregate INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT;

-- What a document has; field 0 are its tags. Values of numbers compare exactly, whole and broken ones alike.
CREATE TABLE document_values (
    doc INTEGER NOT NULL,
    field INTEGER NOT NULL,
    value ANY NOT NULL,
    PRIMARY KEY (doc, field, value)
) STRICT, WITHOUT ROWID;

-- The same the other way about, with what documents have besides. This is what is searched. Each declared field has
-- such a table too, by its number; one table for all would be a quarter slower to add to.
CREATE TABLE postings_event_type (value INTEGER NOT NULL, doc INTEGER NOT NULL, PRIMARY KEY (value, doc)) STRICT, WITHOUT ROWID;
CREATE TABLE postings_aggregate_type (value INTEGER NOT NULL, doc INTEGER NOT NULL, PRIMARY KEY (value, doc)) STRICT, WITHOUT ROWID;
CREATE TABLE postings_aggregate (value INTEGER NOT NULL, doc INTEGER NOT NULL, PRIMARY KEY (value, doc)) STRICT, WITHOUT ROWID;
CREATE TABLE postings_version (value INTEGER NOT NULL, doc INTEGER NOT NULL, PRIMARY KEY (value, doc)) STRICT, WITHOUT ROWID;
CREATE TABLE postings_0 (value TEXT NOT NULL, doc INTEGER NOT NULL, PRIMARY KEY (value, doc)) STRICT, WITHOUT ROWID;

-- Of values that are different in nearly every document, what was added last to a generation that is searched: many
-- such entries together touch far fewer pages of the tables of postings than one by one.
CREATE TABLE recent_aggregate (value INTEGER NOT NULL, doc INTEGER NOT NULL, PRIMARY KEY (value, doc)) STRICT, WITHOUT ROWID;
CREATE TABLE recent_0 (value TEXT NOT NULL, doc INTEGER NOT NULL, PRIMARY KEY (value, doc)) STRICT, WITHOUT ROWID;

-- Each partition of the log may have an event of one id.
CREATE TABLE event_ids (event_id BLOB NOT NULL, doc INTEGER NOT NULL, PRIMARY KEY (event_id, doc)) STRICT, WITHOUT ROWID;

-- Its tokenizer takes runs of ASCII letters and digits, and of all other characters: text with others comes as words
-- with spaces between them.
CREATE VIRTUAL TABLE words USING fts5(text, content='', contentless_delete=1, tokenize='ascii');
