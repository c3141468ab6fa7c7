-- The log. Rows are written once; triggers refuse any change. Runs as the owner of the schema, in one transaction.

-- One row a partition of the log. Whoever appends locks it, so positions are handed out in commit order, without gaps.
CREATE TABLE {schema}.heads (
    partition smallint PRIMARY KEY,
    position bigint NOT NULL,
    "timestamp" timestamptz NOT NULL,   -- of the last event
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
) WITH (fillfactor = 10);               -- room on the page for the row's next versions
INSERT INTO {schema}.heads VALUES (0, 0, 'epoch', decode(repeat('00', 32), 'hex'));

-- Whole events, in partitions by position. Nothing here but the position is indexed, so that a partition can be moved or
-- taken off without the store forgetting what is unique (event_keys).
CREATE TABLE {schema}.events (
    position bigint PRIMARY KEY,
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    event_id uuid NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    "timestamp" timestamptz NOT NULL,
    event_data text,                    -- JSON text; NULL where the event holds other bytes
    event_data_base64 text,             -- the other bytes
    metadata text,                      -- JSON text of an object; NULL is {}
    tags text,                          -- JSON array of strings, sorted; NULL is []
    content_type text,                  -- NULL is application/json
    hash bytea NOT NULL,                -- 32 bytes
    CHECK (num_nonnulls(event_data, event_data_base64) = 1)
) PARTITION BY RANGE (position);

-- Where every event is found, across all partitions. An aggregate, and a pair of aggregate type and event type, are
-- named here by the position of their first event: a number that needs no sequence.
CREATE TABLE {schema}.event_keys (
    position bigint NOT NULL,
    aggregate bigint NOT NULL,
    version bigint NOT NULL,
    event_type bigint NOT NULL,
    event_id uuid NOT NULL
);
-- These two make it impossible to store an event id or a version twice, even by a bug.
CREATE UNIQUE INDEX event_keys_by_event_id ON {schema}.event_keys (event_id) INCLUDE (position);
CREATE UNIQUE INDEX event_keys_by_aggregate ON {schema}.event_keys (aggregate, version) INCLUDE (position);
CREATE UNIQUE INDEX event_keys_by_event_type ON {schema}.event_keys (event_type, position);

CREATE TABLE {schema}.aggregates (
    aggregate bigint PRIMARY KEY,       -- position of its first event
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id text COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX aggregates_by_name ON {schema}.aggregates (aggregate_type, aggregate_id) INCLUDE (aggregate);

CREATE TABLE {schema}.aggregate_types (
    aggregate_type text COLLATE "C" PRIMARY KEY,
    aggregates bigint NOT NULL          -- how many there are; kept by every append
) WITH (fillfactor = 50);

CREATE TABLE {schema}.event_types (
    event_type bigint PRIMARY KEY,      -- position of its first event
    aggregate_type text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    events bigint NOT NULL              -- how many there are; kept by every append
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX event_types_by_name ON {schema}.event_types (name, aggregate_type);

-- Carries the event type along, so that a filter on tag and type needs nothing but this index.
CREATE TABLE {schema}.event_tags (
    tag text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    event_type bigint NOT NULL
);
CREATE UNIQUE INDEX event_tags_by_tag ON {schema}.event_tags (tag, position) INCLUDE (event_type);

CREATE TABLE {schema}.snapshots (
    aggregate bigint NOT NULL,
    version bigint NOT NULL,
    "timestamp" timestamptz NOT NULL,
    state text NOT NULL,                -- JSON text
    metadata text NOT NULL,             -- JSON text of an object
    PRIMARY KEY (aggregate, version)
);

-- Which positions have a table. The next one begins where the last ends.
CREATE TABLE {schema}.event_partitions (
    first_position bigint PRIMARY KEY,
    end_position bigint NOT NULL,       -- exclusive
    table_name name NOT NULL UNIQUE,
    CHECK (end_position > first_position)
);

CREATE FUNCTION {schema}.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $body$
BEGIN
    RAISE EXCEPTION 'events are immutable: % of % refused', TG_OP, TG_TABLE_NAME;
END
$body$;

CREATE FUNCTION {schema}.refuse_going_back() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $body$
BEGIN
    IF new.partition <> old.partition OR new.position < old.position OR new."timestamp" < old."timestamp"
        OR (new.position = old.position AND new IS DISTINCT FROM old) THEN
        RAISE EXCEPTION 'events are immutable: the head never goes back';
    END IF;
    RETURN new;
END
$body$;

CREATE TRIGGER events_never_change BEFORE UPDATE OR DELETE ON {schema}.events
FOR EACH ROW EXECUTE FUNCTION {schema}.refuse_change();
CREATE TRIGGER events_are_never_truncated BEFORE TRUNCATE ON {schema}.events
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change();
CREATE TRIGGER event_keys_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.event_keys
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change();
CREATE TRIGGER event_tags_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.event_tags
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change();
CREATE TRIGGER aggregates_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.aggregates
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change();
CREATE TRIGGER event_partitions_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.event_partitions
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change();
CREATE TRIGGER event_types_keep_their_names BEFORE UPDATE OF event_type, aggregate_type, name ON {schema}.event_types
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change();
CREATE TRIGGER event_types_stay BEFORE DELETE OR TRUNCATE ON {schema}.event_types
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change();
CREATE TRIGGER aggregate_types_keep_their_names BEFORE UPDATE OF aggregate_type ON {schema}.aggregate_types
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change();
CREATE TRIGGER aggregate_types_stay BEFORE DELETE OR TRUNCATE ON {schema}.aggregate_types
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change();
CREATE TRIGGER heads_stay BEFORE DELETE OR TRUNCATE ON {schema}.heads
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change();
CREATE TRIGGER heads_never_go_back BEFORE UPDATE ON {schema}.heads
FOR EACH ROW EXECUTE FUNCTION {schema}.refuse_going_back();

-- Makes tables for positions up to the one given. Runs with the rights of the schema's owner, so that the role that
-- appends needs to own nothing. A table is made apart and then attached: that holds up neither readers nor writers.
CREATE FUNCTION {schema}.make_event_partitions(up_to bigint, positions_each bigint) RETURNS void
LANGUAGE plpgsql STRICT SECURITY DEFINER
-- Named last, or else the caller's temporary types would come before all others.
SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    first_position bigint;
    end_position bigint;
    table_name name;
BEGIN
    IF positions_each NOT BETWEEN 1000 AND 1000000000 THEN
        RAISE EXCEPTION 'a partition holds from 1000 to 1000000000 positions, not %', positions_each;
    END IF;
    -- One maker at a time; the others find its work done.
    PERFORM pg_advisory_xact_lock(hashtextextended('indelible.make_event_partitions {schema}', 0));
    LOOP
        SELECT coalesce(max(p.end_position), 1) INTO first_position FROM {schema}.event_partitions AS p;
        -- Further ahead than two tables, or two of the largest appends, nobody needs any.
        EXIT WHEN first_position > least(
            up_to, (SELECT h.position FROM {schema}.heads AS h) + 2 * greatest(positions_each, 10000)
        );
        end_position := first_position + positions_each;
        table_name := 'events_from_' || first_position;
        EXECUTE format('CREATE TABLE {schema}.%I (LIKE {schema}.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', table_name);
        EXECUTE format('ALTER TABLE {schema}.%I ADD PRIMARY KEY (position)', table_name);
        EXECUTE format(
            'ALTER TABLE {schema}.events ATTACH PARTITION {schema}.%I FOR VALUES FROM (%s) TO (%s)',
            table_name, first_position, end_position
        );
        -- Triggers for rows come with attaching; those for statements do not.
        EXECUTE format(
            'CREATE TRIGGER events_are_never_truncated BEFORE TRUNCATE ON {schema}.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION {schema}.refuse_change()', table_name
        );
        INSERT INTO {schema}.event_partitions VALUES (first_position, end_position, table_name);
    END LOOP;
END
$body$;
REVOKE EXECUTE ON FUNCTION {schema}.make_event_partitions(bigint, bigint) FROM public;
