SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE SCHEMA indelible;
CREATE FUNCTION indelible.make_event_partitions(up_to bigint, positions_each bigint) RETURNS void
    LANGUAGE plpgsql STRICT SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    first_position bigint;
    end_position bigint;
    table_name name;
BEGIN
    IF positions_each NOT BETWEEN 1000 AND 1000000000 THEN
        RAISE EXCEPTION 'a partition holds from 1000 to 1000000000 positions, not %', positions_each;
    END IF;
    -- One maker at a time; the others find its work done.
    PERFORM pg_advisory_xact_lock(hashtextextended('indelible.make_event_partitions indelible', 0));
    LOOP
        SELECT coalesce(max(p.end_position), 1) INTO first_position FROM indelible.event_partitions AS p;
        -- Further ahead than two tables, or two of the largest appends, nobody needs any.
        EXIT WHEN first_position > least(
            up_to, (SELECT h.position FROM indelible.heads AS h) + 2 * greatest(positions_each, 10000)
        );
        end_position := first_position + positions_each;
        table_name := 'events_from_' || first_position;
        EXECUTE format('CREATE TABLE indelible.%I (LIKE indelible.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', table_name);
        EXECUTE format('ALTER TABLE indelible.%I ADD PRIMARY KEY (position)', table_name);
        EXECUTE format(
            'ALTER TABLE indelible.events ATTACH PARTITION indelible.%I FOR VALUES FROM (%s) TO (%s)',
            table_name, first_position, end_position
        );
        -- Triggers for rows come with attaching; those for statements do not.
        EXECUTE format(
            'CREATE TRIGGER events_are_never_truncated BEFORE TRUNCATE ON indelible.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION indelible.refuse_change()', table_name
        );
        INSERT INTO indelible.event_partitions VALUES (first_position, end_position, table_name);
    END LOOP;
END
$$;
CREATE FUNCTION indelible.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
    RAISE EXCEPTION 'events are immutable: % of % refused', TG_OP, TG_TABLE_NAME;
END
$$;
CREATE FUNCTION indelible.refuse_going_back() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
    IF new.partition <> old.partition OR new.position < old.position OR new."timestamp" < old."timestamp"
        OR (new.position = old.position AND new IS DISTINCT FROM old) THEN
        RAISE EXCEPTION 'events are immutable: the head never goes back';
    END IF;
    RETURN new;
END
$$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE indelible.aggregate_types (
    aggregate_type text NOT NULL COLLATE pg_catalog."C",
    aggregates bigint NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE indelible.aggregates (
    aggregate bigint NOT NULL,
    aggregate_type text NOT NULL COLLATE pg_catalog."C",
    aggregate_id text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE indelible.consumer_groups (
    id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    items text NOT NULL,
    ack_timeout_s double precision NOT NULL,
    max_attempts integer NOT NULL,
    max_in_flight integer NOT NULL,
    created_us bigint NOT NULL,
    revision bigint NOT NULL,
    reached bigint NOT NULL,
    last_delivery bigint NOT NULL,
    reset_at bigint NOT NULL
)
WITH (fillfactor='10', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000');
ALTER TABLE indelible.consumer_groups ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME indelible.consumer_groups_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE indelible.event_keys (
    "position" bigint NOT NULL,
    aggregate bigint NOT NULL,
    version bigint NOT NULL,
    event_type bigint NOT NULL,
    event_id uuid NOT NULL
);
CREATE TABLE indelible.event_partitions (
    first_position bigint NOT NULL,
    end_position bigint NOT NULL,
    table_name name NOT NULL,
    CONSTRAINT event_partitions_check CHECK ((end_position > first_position))
);
CREATE TABLE indelible.event_tags (
    tag text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL,
    event_type bigint NOT NULL
);
CREATE TABLE indelible.event_types (
    event_type bigint NOT NULL,
    aggregate_type text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    events bigint NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE indelible.events (
    "position" bigint NOT NULL,
    aggregate_type text NOT NULL COLLATE pg_catalog."C",
    aggregate_id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    event_id uuid NOT NULL,
    event_type text NOT NULL COLLATE pg_catalog."C",
    "timestamp" timestamp with time zone NOT NULL,
    event_data text,
    event_data_base64 text,
    metadata text,
    tags text,
    content_type text,
    hash bytea NOT NULL,
    CONSTRAINT events_check CHECK ((num_nonnulls(event_data, event_data_base64) = 1))
)
PARTITION BY RANGE ("position");
CREATE TABLE indelible.events_from_1 (
    "position" bigint CONSTRAINT events_position_not_null NOT NULL,
    aggregate_type text CONSTRAINT events_aggregate_type_not_null NOT NULL COLLATE pg_catalog."C",
    aggregate_id text CONSTRAINT events_aggregate_id_not_null NOT NULL COLLATE pg_catalog."C",
    version bigint CONSTRAINT events_version_not_null NOT NULL,
    event_id uuid CONSTRAINT events_event_id_not_null NOT NULL,
    event_type text CONSTRAINT events_event_type_not_null NOT NULL COLLATE pg_catalog."C",
    "timestamp" timestamp with time zone CONSTRAINT events_timestamp_not_null NOT NULL,
    event_data text,
    event_data_base64 text,
    metadata text,
    tags text,
    content_type text,
    hash bytea CONSTRAINT events_hash_not_null NOT NULL,
    CONSTRAINT events_check CHECK ((num_nonnulls(event_data, event_data_base64) = 1))
);
CREATE TABLE indelible.group_skips (
    consumer_group bigint NOT NULL,
    "position" bigint NOT NULL,
    aggregate_type text NOT NULL COLLATE pg_catalog."C",
    aggregate_id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    attempts integer NOT NULL,
    parked_reason text NOT NULL,
    reason text NOT NULL,
    skipped_at timestamp with time zone NOT NULL
);
CREATE TABLE indelible.group_unfinished (
    consumer_group bigint NOT NULL,
    "position" bigint NOT NULL,
    aggregate_type text NOT NULL COLLATE pg_catalog."C",
    aggregate_id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    following bigint NOT NULL,
    state text NOT NULL,
    due_us bigint NOT NULL,
    attempts integer NOT NULL,
    delivery bigint NOT NULL,
    member text NOT NULL,
    reason text NOT NULL,
    CONSTRAINT group_unfinished_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'in_flight'::text, 'parked'::text])))
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='5000');
CREATE TABLE indelible.heads (
    partition smallint NOT NULL,
    "position" bigint NOT NULL,
    "timestamp" timestamp with time zone NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT heads_hash_check CHECK ((octet_length(hash) = 32))
)
WITH (fillfactor='10');
CREATE TABLE indelible.schema_steps (
    version integer NOT NULL,
    step text NOT NULL,
    done_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT schema_steps_step_check CHECK ((step = ANY (ARRAY['pre'::text, 'post'::text])))
);
CREATE TABLE indelible.snapshots (
    aggregate bigint NOT NULL,
    version bigint NOT NULL,
    "timestamp" timestamp with time zone NOT NULL,
    state text NOT NULL,
    metadata text NOT NULL
);
ALTER TABLE ONLY indelible.events ATTACH PARTITION indelible.events_from_1 FOR VALUES FROM ('1') TO ('10000001');
INSERT INTO indelible.aggregate_types VALUES ('order', 2);
INSERT INTO indelible.aggregate_types VALUES ('image', 1);
INSERT INTO indelible.aggregate_types VALUES ('archive', 1);
INSERT INTO indelible.aggregate_types VALUES ('account', 2);
INSERT INTO indelible.aggregates VALUES (1, 'order', 'o-1');
INSERT INTO indelible.aggregates VALUES (2, 'order', 'ó/ż 🦀');
INSERT INTO indelible.aggregates VALUES (33, 'image', 'i-1');
INSERT INTO indelible.aggregates VALUES (35, 'archive', 'a');
INSERT INTO indelible.aggregates VALUES (37, 'account', 'from');
INSERT INTO indelible.aggregates VALUES (38, 'account', 'to');
INSERT INTO indelible.consumer_groups OVERRIDING SYSTEM VALUE VALUES (2, 'search', '[]', 30, 5, 1000, 1767225600000000, 1767225600000000, 0, 1767225600000000, 1767225600000000);
INSERT INTO indelible.consumer_groups OVERRIDING SYSTEM VALUE VALUES (1, 'billing 🦀', '[{"event_types":["OrderPlaced","OrderMoved"],"aggregate_types":["order"],"tags":[]},{"event_types":[],"aggregate_types":[],"tags":["eu","zażółć \"gęślą\""]}]', 12.5, 3, 50, 1767225600000000, 1767225600000001, 35, 1767225600000002, 1767225600000000);
INSERT INTO indelible.event_keys VALUES (1, 1, 1, 1, '01940000-0000-7000-8000-000000000001');
INSERT INTO indelible.event_keys VALUES (2, 2, 1, 1, '01940000-0000-7000-8000-000000000002');
INSERT INTO indelible.event_keys VALUES (3, 1, 2, 3, '01940000-0000-7000-8000-000000000003');
INSERT INTO indelible.event_keys VALUES (4, 1, 3, 3, '01940000-0000-7000-8000-000000000004');
INSERT INTO indelible.event_keys VALUES (5, 1, 4, 3, '01940000-0000-7000-8000-000000000005');
INSERT INTO indelible.event_keys VALUES (6, 1, 5, 3, '01940000-0000-7000-8000-000000000006');
INSERT INTO indelible.event_keys VALUES (7, 1, 6, 3, '01940000-0000-7000-8000-000000000007');
INSERT INTO indelible.event_keys VALUES (8, 1, 7, 3, '01940000-0000-7000-8000-000000000008');
INSERT INTO indelible.event_keys VALUES (9, 1, 8, 3, '01940000-0000-7000-8000-000000000009');
INSERT INTO indelible.event_keys VALUES (10, 1, 9, 3, '01940000-0000-7000-8000-00000000000a');
INSERT INTO indelible.event_keys VALUES (11, 1, 10, 3, '01940000-0000-7000-8000-00000000000b');
INSERT INTO indelible.event_keys VALUES (12, 1, 11, 3, '01940000-0000-7000-8000-00000000000c');
INSERT INTO indelible.event_keys VALUES (13, 1, 12, 3, '01940000-0000-7000-8000-00000000000d');
INSERT INTO indelible.event_keys VALUES (14, 1, 13, 3, '01940000-0000-7000-8000-00000000000e');
INSERT INTO indelible.event_keys VALUES (15, 1, 14, 3, '01940000-0000-7000-8000-00000000000f');
INSERT INTO indelible.event_keys VALUES (16, 1, 15, 3, '01940000-0000-7000-8000-000000000010');
INSERT INTO indelible.event_keys VALUES (17, 1, 16, 3, '01940000-0000-7000-8000-000000000011');
INSERT INTO indelible.event_keys VALUES (18, 1, 17, 3, '01940000-0000-7000-8000-000000000012');
INSERT INTO indelible.event_keys VALUES (19, 1, 18, 3, '01940000-0000-7000-8000-000000000013');
INSERT INTO indelible.event_keys VALUES (20, 1, 19, 3, '01940000-0000-7000-8000-000000000014');
INSERT INTO indelible.event_keys VALUES (21, 1, 20, 3, '01940000-0000-7000-8000-000000000015');
INSERT INTO indelible.event_keys VALUES (22, 1, 21, 3, '01940000-0000-7000-8000-000000000016');
INSERT INTO indelible.event_keys VALUES (23, 1, 22, 3, '01940000-0000-7000-8000-000000000017');
INSERT INTO indelible.event_keys VALUES (24, 1, 23, 3, '01940000-0000-7000-8000-000000000018');
INSERT INTO indelible.event_keys VALUES (25, 1, 24, 3, '01940000-0000-7000-8000-000000000019');
INSERT INTO indelible.event_keys VALUES (26, 1, 25, 3, '01940000-0000-7000-8000-00000000001a');
INSERT INTO indelible.event_keys VALUES (27, 1, 26, 3, '01940000-0000-7000-8000-00000000001b');
INSERT INTO indelible.event_keys VALUES (28, 1, 27, 3, '01940000-0000-7000-8000-00000000001c');
INSERT INTO indelible.event_keys VALUES (29, 1, 28, 3, '01940000-0000-7000-8000-00000000001d');
INSERT INTO indelible.event_keys VALUES (30, 1, 29, 3, '01940000-0000-7000-8000-00000000001e');
INSERT INTO indelible.event_keys VALUES (31, 1, 30, 3, '01940000-0000-7000-8000-00000000001f');
INSERT INTO indelible.event_keys VALUES (32, 1, 31, 3, '01940000-0000-7000-8000-000000000020');
INSERT INTO indelible.event_keys VALUES (33, 33, 1, 33, '01940000-0000-7000-8000-000000000021');
INSERT INTO indelible.event_keys VALUES (34, 33, 2, 34, '01940000-0000-7000-8000-000000000022');
INSERT INTO indelible.event_keys VALUES (35, 35, 1, 35, '01940000-0000-7000-8000-000000000023');
INSERT INTO indelible.event_keys VALUES (36, 35, 2, 36, '01940000-0000-7000-8000-000000000024');
INSERT INTO indelible.event_keys VALUES (37, 37, 1, 37, '01940000-0000-7000-8000-000000000025');
INSERT INTO indelible.event_keys VALUES (38, 38, 1, 38, '01940000-0000-7000-8000-000000000026');
INSERT INTO indelible.event_partitions VALUES (1, 10000001, 'events_from_1');
INSERT INTO indelible.event_tags VALUES ('eu', 1, 1);
INSERT INTO indelible.event_tags VALUES ('vip', 1, 1);
INSERT INTO indelible.event_tags VALUES ('eu', 33, 33);
INSERT INTO indelible.event_tags VALUES ('transfer', 37, 37);
INSERT INTO indelible.event_tags VALUES ('transfer', 38, 38);
INSERT INTO indelible.event_types VALUES (1, 'order', 'OrderPlaced', 2);
INSERT INTO indelible.event_types VALUES (3, 'order', 'OrderMoved', 30);
INSERT INTO indelible.event_types VALUES (33, 'image', 'Scanned', 1);
INSERT INTO indelible.event_types VALUES (34, 'image', 'Described', 1);
INSERT INTO indelible.event_types VALUES (35, 'archive', 'Filled', 1);
INSERT INTO indelible.event_types VALUES (36, 'archive', 'Emptied', 1);
INSERT INTO indelible.event_types VALUES (38, 'account', 'Deposited', 1);
INSERT INTO indelible.event_types VALUES (37, 'account', 'Withdrawn', 1);
INSERT INTO indelible.events_from_1 VALUES (1, 'order', 'o-1', 1, '01940000-0000-7000-8000-000000000001', 'OrderPlaced', '2026-11-26 13:06:22.67351+05:45', '{"total":42.5,"lines":[1,2,3]}', NULL, NULL, '["eu","vip"]', NULL, '\x5efa252041a0146bcc7fb982d08ef914809ea65663daf7c4a5dd910fdea4060b');
INSERT INTO indelible.events_from_1 VALUES (2, 'order', 'ó/ż 🦀', 1, '01940000-0000-7000-8000-000000000002', 'OrderPlaced', '2026-11-26 13:06:22.69293+05:45', '{"total":1,"n":18446744073709551616,"real":1.0}', NULL, NULL, NULL, NULL, '\x27c600a6d9f8e5d76c521873f1af0452252049f896de44cc7b04be484ad93d46');
INSERT INTO indelible.events_from_1 VALUES (3, 'order', 'o-1', 2, '01940000-0000-7000-8000-000000000003', 'OrderMoved', '2026-11-26 13:06:22.706532+05:45', '{"step":1,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xc3155b34517de12515d84e3e48b8cf7c69e14e15b4d7cb32a08e3fd9800e89e0');
INSERT INTO indelible.events_from_1 VALUES (4, 'order', 'o-1', 3, '01940000-0000-7000-8000-000000000004', 'OrderMoved', '2026-11-26 13:06:22.709177+05:45', '{"step":2,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x1bcc0576aee15e85f262ae45c8871efe1fc37d64c8bb86f564ca3bd6a752fe5b');
INSERT INTO indelible.events_from_1 VALUES (5, 'order', 'o-1', 4, '01940000-0000-7000-8000-000000000005', 'OrderMoved', '2026-11-26 13:06:22.715494+05:45', '{"step":3,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x222c496fe25697ee11774a80c3fd8b217bc2150ece0453a8d81ef2098b938097');
INSERT INTO indelible.events_from_1 VALUES (6, 'order', 'o-1', 5, '01940000-0000-7000-8000-000000000006', 'OrderMoved', '2026-11-26 13:06:22.720812+05:45', '{"step":4,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x8116fd2cd172612a5ae84d96f3c74438be4d5574eb7eef6c5827ddce56bb0d81');
INSERT INTO indelible.events_from_1 VALUES (7, 'order', 'o-1', 6, '01940000-0000-7000-8000-000000000007', 'OrderMoved', '2026-11-26 13:06:22.724973+05:45', '{"step":5,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xaa8a188e6bd5334128ba490106b0c808a9c064a088851ab28b03d511e9aab5d6');
INSERT INTO indelible.events_from_1 VALUES (8, 'order', 'o-1', 7, '01940000-0000-7000-8000-000000000008', 'OrderMoved', '2026-11-26 13:06:22.734868+05:45', '{"step":6,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x9c246dabe4f363a0197739f04c767dfe2539f871745c4c76f2bea15403148a7d');
INSERT INTO indelible.events_from_1 VALUES (9, 'order', 'o-1', 8, '01940000-0000-7000-8000-000000000009', 'OrderMoved', '2026-11-26 13:06:22.74209+05:45', '{"step":7,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x003daa6527c6dc51368c1baa96126ac549436576487ac620f93c0cdec07e0a7b');
INSERT INTO indelible.events_from_1 VALUES (10, 'order', 'o-1', 9, '01940000-0000-7000-8000-00000000000a', 'OrderMoved', '2026-11-26 13:06:22.745964+05:45', '{"step":8,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x69a68f4a03401176741ee242b2a46a897b222a7223330d880ccb9e8d3d1ba9f5');
INSERT INTO indelible.events_from_1 VALUES (11, 'order', 'o-1', 10, '01940000-0000-7000-8000-00000000000b', 'OrderMoved', '2026-11-26 13:06:22.750159+05:45', '{"step":9,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xa5f771b81d04b0f71a5aebdda5705818d09b1baf03c5f54f9fc47d200d88e190');
INSERT INTO indelible.events_from_1 VALUES (12, 'order', 'o-1', 11, '01940000-0000-7000-8000-00000000000c', 'OrderMoved', '2026-11-26 13:06:22.75358+05:45', '{"step":10,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xae01ba833a8d340eaa68404ca620b97b42167be53b2ba913157eab91a55d26ca');
INSERT INTO indelible.events_from_1 VALUES (13, 'order', 'o-1', 12, '01940000-0000-7000-8000-00000000000d', 'OrderMoved', '2026-11-26 13:06:22.755296+05:45', '{"step":11,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xd15845c5d392de45778533e32c7475c422891f3ba27883d98a34712d79f18821');
INSERT INTO indelible.events_from_1 VALUES (14, 'order', 'o-1', 13, '01940000-0000-7000-8000-00000000000e', 'OrderMoved', '2026-11-26 13:06:22.758426+05:45', '{"step":12,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x1f9739363c40efd353d1c4b6bf2a7fd34ec35910cc50bf22eef1934cd2cb3a20');
INSERT INTO indelible.events_from_1 VALUES (15, 'order', 'o-1', 14, '01940000-0000-7000-8000-00000000000f', 'OrderMoved', '2026-11-26 13:06:22.762307+05:45', '{"step":13,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x1aea01591aba1d1c430938ed2ec3235f52d4996f16bbea3e164012ebfdaa3d3e');
INSERT INTO indelible.events_from_1 VALUES (16, 'order', 'o-1', 15, '01940000-0000-7000-8000-000000000010', 'OrderMoved', '2026-11-26 13:06:22.770278+05:45', '{"step":14,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x588a86389fb0559b37621348179af807762e98ed018b2bd3930c6544030951a4');
INSERT INTO indelible.events_from_1 VALUES (17, 'order', 'o-1', 16, '01940000-0000-7000-8000-000000000011', 'OrderMoved', '2026-11-26 13:06:22.774162+05:45', '{"step":15,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x7697c6b3673c36b0877ce4fc2b195fac70012e2db191ff2ddfea69973de1638a');
INSERT INTO indelible.events_from_1 VALUES (18, 'order', 'o-1', 17, '01940000-0000-7000-8000-000000000012', 'OrderMoved', '2026-11-26 13:06:22.778076+05:45', '{"step":16,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xc43a9499dbdd7f95b8d1f82da946d95f38bad419d37bef849f3f79387d379908');
INSERT INTO indelible.events_from_1 VALUES (19, 'order', 'o-1', 18, '01940000-0000-7000-8000-000000000013', 'OrderMoved', '2026-11-26 13:06:22.780975+05:45', '{"step":17,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xc7692d76487185bb13c168e1795a450eb4230a890608d50c2395e79de45220a0');
INSERT INTO indelible.events_from_1 VALUES (20, 'order', 'o-1', 19, '01940000-0000-7000-8000-000000000014', 'OrderMoved', '2026-11-26 13:06:22.783432+05:45', '{"step":18,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xefeebd88a2470475f1f4c66d938fb8d31d1165a28a5c2719e397185a85375a99');
INSERT INTO indelible.events_from_1 VALUES (21, 'order', 'o-1', 20, '01940000-0000-7000-8000-000000000015', 'OrderMoved', '2026-11-26 13:06:22.785627+05:45', '{"step":19,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x04d18cf3e9f4193ea862c86d3f1d229829d06532d44b7ca3569e3acbaacad20b');
INSERT INTO indelible.events_from_1 VALUES (22, 'order', 'o-1', 21, '01940000-0000-7000-8000-000000000016', 'OrderMoved', '2026-11-26 13:06:22.789969+05:45', '{"step":20,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x9f5296563531b3b6d663c460d52528c28a28888cca7b1d69ce491a85609e484e');
INSERT INTO indelible.events_from_1 VALUES (23, 'order', 'o-1', 22, '01940000-0000-7000-8000-000000000017', 'OrderMoved', '2026-11-26 13:06:22.794334+05:45', '{"step":21,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x49c9ebdeb7359f0e5a0d0c972be508a8dd0e514b23a3bd46e175f3829647d674');
INSERT INTO indelible.events_from_1 VALUES (24, 'order', 'o-1', 23, '01940000-0000-7000-8000-000000000018', 'OrderMoved', '2026-11-26 13:06:22.795927+05:45', '{"step":22,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xe31aa40bfb7fb0c3b6a19e908b04b78551cab25f5f9f49dac5c4dbbd180340f0');
INSERT INTO indelible.events_from_1 VALUES (25, 'order', 'o-1', 24, '01940000-0000-7000-8000-000000000019', 'OrderMoved', '2026-11-26 13:06:22.802146+05:45', '{"step":23,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xc7b9b73449a1e10750a8f8d745e012d97af4764b94d56a4f20bc6a0132eee3c7');
INSERT INTO indelible.events_from_1 VALUES (26, 'order', 'o-1', 25, '01940000-0000-7000-8000-00000000001a', 'OrderMoved', '2026-11-26 13:06:22.806256+05:45', '{"step":24,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x1db55edd7d4505619aa56ec0c50c7f135550f0e43d20913531e2824fb4df6497');
INSERT INTO indelible.events_from_1 VALUES (27, 'order', 'o-1', 26, '01940000-0000-7000-8000-00000000001b', 'OrderMoved', '2026-11-26 13:06:22.810099+05:45', '{"step":25,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x8bc2a6e65dba91b2b415a68ace289179a520d1a681627ad23851a56293639871');
INSERT INTO indelible.events_from_1 VALUES (28, 'order', 'o-1', 27, '01940000-0000-7000-8000-00000000001c', 'OrderMoved', '2026-11-26 13:06:22.814283+05:45', '{"step":26,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xbf597f2a4741c469c7191f95307a0c809b3e920928d5d5473568864f2c977ee3');
INSERT INTO indelible.events_from_1 VALUES (29, 'order', 'o-1', 28, '01940000-0000-7000-8000-00000000001d', 'OrderMoved', '2026-11-26 13:06:22.818186+05:45', '{"step":27,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xd5c8874ea47f7aae68e93f210e5c61bf8f7fb232ac608ec0e8d2d665cd1822fb');
INSERT INTO indelible.events_from_1 VALUES (30, 'order', 'o-1', 29, '01940000-0000-7000-8000-00000000001e', 'OrderMoved', '2026-11-26 13:06:22.819898+05:45', '{"step":28,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xec5784e3ae150ec8c4597260a53965eb582e94d06e7713299afe4f586774a7d6');
INSERT INTO indelible.events_from_1 VALUES (31, 'order', 'o-1', 30, '01940000-0000-7000-8000-00000000001f', 'OrderMoved', '2026-11-26 13:06:22.825497+05:45', '{"step":29,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x0978b4fe77336b5ed6b94bedc0bba9fafccc723f5ad7139a886d49505e3089fd');
INSERT INTO indelible.events_from_1 VALUES (32, 'order', 'o-1', 31, '01940000-0000-7000-8000-000000000020', 'OrderMoved', '2026-11-26 13:06:22.830362+05:45', '{"step":30,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x5173341fc29432f0a0c9703944194ed08f593fa114efa2565484a66d6e18b776');
INSERT INTO indelible.events_from_1 VALUES (33, 'image', 'i-1', 1, '01940000-0000-7000-8000-000000000021', 'Scanned', '2026-11-26 13:06:22.834219+05:45', NULL, 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5fYGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn+AgYKDhIWGh4iJiouMjY6PkJGSk5SVlpeYmZqbnJ2en6ChoqOkpaanqKmqq6ytrq+wsbKztLW2t7i5uru8vb6/wMHCw8TFxsfIycrLzM3Oz9DR0tPU1dbX2Nna29zd3t/g4eLj5OXm5+jp6uvs7e7v8PHy8/T19vf4+fr7/P3+/w==', NULL, '["eu"]', 'image/png', '\xa17bd2f286256766992e15ca4da537122186f2e7b3f1d37b0e3efb34814ab2c1');
INSERT INTO indelible.events_from_1 VALUES (34, 'image', 'i-1', 2, '01940000-0000-7000-8000-000000000022', 'Described', '2026-11-26 13:06:22.837979+05:45', '{"x":1}', NULL, NULL, NULL, 'application/vnd.image+json', '\xc6a1add539b70ebd8f8b1e6ca7a729932d75fdb7abe652fa4f1bda2161bcf9dd');
INSERT INTO indelible.events_from_1 VALUES (35, 'archive', 'a', 1, '01940000-0000-7000-8000-000000000023', 'Filled', '2026-11-26 13:06:22.842231+05:45', '"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"', NULL, NULL, NULL, NULL, '\xf2611f8b269266b4f9985aaaf7a8d397f327fcb2798dc67df5c5d5ccb415952d');
INSERT INTO indelible.events_from_1 VALUES (36, 'archive', 'a', 2, '01940000-0000-7000-8000-000000000024', 'Emptied', '2026-11-26 13:06:22.842231+05:45', 'null', NULL, NULL, NULL, NULL, '\x6838c9f52d8e57067832578a233bf99ae1b732fe76540c326d4b5fe9a6b599ff');
INSERT INTO indelible.events_from_1 VALUES (37, 'account', 'from', 1, '01940000-0000-7000-8000-000000000025', 'Withdrawn', '2026-11-26 13:06:22.850044+05:45', '{"amount":5}', NULL, NULL, '["transfer"]', NULL, '\x68e3d534a20a40c2ec72297c100ecfce01120ce674e33461d0bcc56d854b8335');
INSERT INTO indelible.events_from_1 VALUES (38, 'account', 'to', 1, '01940000-0000-7000-8000-000000000026', 'Deposited', '2026-11-26 13:06:22.850044+05:45', '{"amount":5}', NULL, NULL, '["transfer"]', NULL, '\xa3c3d97840a630fffdf1bf266c5dc9fa8dad95ef56eda8316125a0be98cd5ead');
INSERT INTO indelible.group_skips VALUES (1, 1, 'order', 'o-1', 1, 3, 'no total', 'known to be wrong', '2026-01-01 05:45:00.000001+05:45');
INSERT INTO indelible.group_unfinished VALUES (1, 2, 'order', 'ó/ż 🦀', 1, 0, 'in_flight', 1767225600000005, 1, 1767225600000002, 'worker 1', '');
INSERT INTO indelible.group_unfinished VALUES (1, 3, 'order', 'o-1', 2, 29, 'parked', 1767225600000003, 3, 1767225600000001, '', '"none"');
INSERT INTO indelible.group_unfinished VALUES (1, 33, 'image', 'i-1', 1, 1, 'waiting', 1767225600000009, 0, 0, '', '');
INSERT INTO indelible.heads VALUES (0, 38, '2026-11-26 13:06:22.850044+05:45', '\xa3c3d97840a630fffdf1bf266c5dc9fa8dad95ef56eda8316125a0be98cd5ead');
INSERT INTO indelible.schema_steps VALUES (1, 'pre', '2026-11-26 13:06:22.451478+05:45');
INSERT INTO indelible.schema_steps VALUES (2, 'pre', '2026-11-26 13:06:22.451478+05:45');
INSERT INTO indelible.snapshots VALUES (1, 10, '2026-11-26 13:06:22.861813+05:45', '{"step":10}', '{"by":"make"}');
INSERT INTO indelible.snapshots VALUES (1, 20, '2026-11-26 13:06:22.871307+05:45', '{"step":20}', '{}');
SELECT pg_catalog.setval('indelible.consumer_groups_id_seq', 2, true);
ALTER TABLE ONLY indelible.aggregate_types
    ADD CONSTRAINT aggregate_types_pkey PRIMARY KEY (aggregate_type);
ALTER TABLE ONLY indelible.aggregates
    ADD CONSTRAINT aggregates_pkey PRIMARY KEY (aggregate);
ALTER TABLE ONLY indelible.consumer_groups
    ADD CONSTRAINT consumer_groups_name_key UNIQUE (name);
ALTER TABLE ONLY indelible.consumer_groups
    ADD CONSTRAINT consumer_groups_pkey PRIMARY KEY (id);
ALTER TABLE ONLY indelible.event_partitions
    ADD CONSTRAINT event_partitions_pkey PRIMARY KEY (first_position);
ALTER TABLE ONLY indelible.event_partitions
    ADD CONSTRAINT event_partitions_table_name_key UNIQUE (table_name);
ALTER TABLE ONLY indelible.event_types
    ADD CONSTRAINT event_types_pkey PRIMARY KEY (event_type);
ALTER TABLE ONLY indelible.events
    ADD CONSTRAINT events_pkey PRIMARY KEY ("position");
ALTER TABLE ONLY indelible.events_from_1
    ADD CONSTRAINT events_from_1_pkey PRIMARY KEY ("position");
ALTER TABLE ONLY indelible.group_skips
    ADD CONSTRAINT group_skips_pkey PRIMARY KEY (consumer_group, "position");
ALTER TABLE ONLY indelible.group_unfinished
    ADD CONSTRAINT group_unfinished_pkey PRIMARY KEY (consumer_group, "position");
ALTER TABLE ONLY indelible.heads
    ADD CONSTRAINT heads_pkey PRIMARY KEY (partition);
ALTER TABLE ONLY indelible.schema_steps
    ADD CONSTRAINT schema_steps_pkey PRIMARY KEY (version, step);
ALTER TABLE ONLY indelible.snapshots
    ADD CONSTRAINT snapshots_pkey PRIMARY KEY (aggregate, version);
CREATE UNIQUE INDEX aggregates_by_name ON indelible.aggregates USING btree (aggregate_type, aggregate_id) INCLUDE (aggregate);
CREATE UNIQUE INDEX event_keys_by_aggregate ON indelible.event_keys USING btree (aggregate, version) INCLUDE ("position");
CREATE UNIQUE INDEX event_keys_by_event_id ON indelible.event_keys USING btree (event_id) INCLUDE ("position");
CREATE UNIQUE INDEX event_keys_by_event_type ON indelible.event_keys USING btree (event_type, "position");
CREATE UNIQUE INDEX event_tags_by_tag ON indelible.event_tags USING btree (tag, "position") INCLUDE (event_type);
CREATE UNIQUE INDEX event_types_by_name ON indelible.event_types USING btree (name, aggregate_type);
ALTER INDEX indelible.events_pkey ATTACH PARTITION indelible.events_from_1_pkey;
CREATE TRIGGER aggregate_types_keep_their_names BEFORE UPDATE OF aggregate_type ON indelible.aggregate_types FOR EACH STATEMENT EXECUTE FUNCTION indelible.refuse_change();
CREATE TRIGGER aggregate_types_stay BEFORE DELETE OR TRUNCATE ON indelible.aggregate_types FOR EACH STATEMENT EXECUTE FUNCTION indelible.refuse_change();
CREATE TRIGGER aggregates_never_change BEFORE DELETE OR UPDATE OR TRUNCATE ON indelible.aggregates FOR EACH STATEMENT EXECUTE FUNCTION indelible.refuse_change();
CREATE TRIGGER event_keys_never_change BEFORE DELETE OR UPDATE OR TRUNCATE ON indelible.event_keys FOR EACH STATEMENT EXECUTE FUNCTION indelible.refuse_change();
CREATE TRIGGER event_partitions_never_change BEFORE DELETE OR UPDATE OR TRUNCATE ON indelible.event_partitions FOR EACH STATEMENT EXECUTE FUNCTION indelible.refuse_change();
CREATE TRIGGER event_tags_never_change BEFORE DELETE OR UPDATE OR TRUNCATE ON indelible.event_tags FOR EACH STATEMENT EXECUTE FUNCTION indelible.refuse_change();
CREATE TRIGGER event_types_keep_their_names BEFORE UPDATE OF event_type, aggregate_type, name ON indelible.event_types FOR EACH STATEMENT EXECUTE FUNCTION indelible.refuse_change();
CREATE TRIGGER event_types_stay BEFORE DELETE OR TRUNCATE ON indelible.event_types FOR EACH STATEMENT EXECUTE FUNCTION indelible.refuse_change();
CREATE TRIGGER events_are_never_truncated BEFORE TRUNCATE ON indelible.events FOR EACH STATEMENT EXECUTE FUNCTION indelible.refuse_change();
CREATE TRIGGER events_are_never_truncated BEFORE TRUNCATE ON indelible.events_from_1 FOR EACH STATEMENT EXECUTE FUNCTION indelible.refuse_change();
CREATE TRIGGER events_never_change BEFORE DELETE OR UPDATE ON indelible.events FOR EACH ROW EXECUTE FUNCTION indelible.refuse_change();
CREATE TRIGGER heads_never_go_back BEFORE UPDATE ON indelible.heads FOR EACH ROW EXECUTE FUNCTION indelible.refuse_going_back();
CREATE TRIGGER heads_stay BEFORE DELETE OR TRUNCATE ON indelible.heads FOR EACH STATEMENT EXECUTE FUNCTION indelible.refuse_change();
