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
    reset_at bigint NOT NULL,
    save_id text NOT NULL
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
    is_unreadable boolean NOT NULL,
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
INSERT INTO indelible.consumer_groups OVERRIDING SYSTEM VALUE VALUES (2, 'search', '[]', 30, 5, 1000, 1767225600000000, 1767225600000000, 0, 1767225600000000, 1767225600000000, '00000000-0000-0000-0006-474846204000');
INSERT INTO indelible.consumer_groups OVERRIDING SYSTEM VALUE VALUES (1, 'billing 🦀', '[{"event_types":["OrderPlaced","OrderMoved"],"aggregate_types":["order"],"tags":[]},{"event_types":[],"aggregate_types":[],"tags":["eu","zażółć \"gęślą\""]}]', 12.5, 3, 50, 1767225600000000, 1767225600000001, 35, 1767225600000002, 1767225600000000, '00000000-0000-0000-0000-000000000001');
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
INSERT INTO indelible.events_from_1 VALUES (1, 'order', 'o-1', 1, '01940000-0000-7000-8000-000000000001', 'OrderPlaced', '2026-11-28 21:45:29.629858+05:45', '{"total":42.5,"lines":[1,2,3]}', NULL, NULL, '["eu","vip"]', NULL, '\x41d2a8212c9d907c873a6cd4ae523f8f23e196d94db4575ad8f0014b64f76d82');
INSERT INTO indelible.events_from_1 VALUES (2, 'order', 'ó/ż 🦀', 1, '01940000-0000-7000-8000-000000000002', 'OrderPlaced', '2026-11-28 21:45:29.659425+05:45', '{"total":1,"n":18446744073709551616,"real":1.0}', NULL, NULL, NULL, NULL, '\xf6a92433bd14b9ce67926536594d6129fd1187ddf46163bac7092c738012bbdb');
INSERT INTO indelible.events_from_1 VALUES (3, 'order', 'o-1', 2, '01940000-0000-7000-8000-000000000003', 'OrderMoved', '2026-11-28 21:45:29.67968+05:45', '{"step":1,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xdd1636ad12d5b5c328c8afefe8fcfa1ed44d92c5026ebf322b38b66b786326c1');
INSERT INTO indelible.events_from_1 VALUES (4, 'order', 'o-1', 3, '01940000-0000-7000-8000-000000000004', 'OrderMoved', '2026-11-28 21:45:29.69093+05:45', '{"step":2,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xd824eb886170d83a34d0b6dc1243637f3329c88dd108ecf12fe01f0d6ef668ba');
INSERT INTO indelible.events_from_1 VALUES (5, 'order', 'o-1', 4, '01940000-0000-7000-8000-000000000005', 'OrderMoved', '2026-11-28 21:45:29.711651+05:45', '{"step":3,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x4691556cc420dc3331f359d6f71969a602cf84c115e308d32789517bdbfb28f0');
INSERT INTO indelible.events_from_1 VALUES (6, 'order', 'o-1', 5, '01940000-0000-7000-8000-000000000006', 'OrderMoved', '2026-11-28 21:45:29.724292+05:45', '{"step":4,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xd69517a03774bafb9ce378641459c50a844ab6f95ad6e9635ea1bc2d29a200eb');
INSERT INTO indelible.events_from_1 VALUES (7, 'order', 'o-1', 6, '01940000-0000-7000-8000-000000000007', 'OrderMoved', '2026-11-28 21:45:29.732384+05:45', '{"step":5,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xc08baff8c8945796ddc6331b2ebd1bfe04f41217d1e9156aab5e36f73f6a7a91');
INSERT INTO indelible.events_from_1 VALUES (8, 'order', 'o-1', 7, '01940000-0000-7000-8000-000000000008', 'OrderMoved', '2026-11-28 21:45:29.740494+05:45', '{"step":6,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xa650d00a91479640dfe7a5593cf9223137e91289a5416b278e6b9f8cf4d08ae4');
INSERT INTO indelible.events_from_1 VALUES (9, 'order', 'o-1', 8, '01940000-0000-7000-8000-000000000009', 'OrderMoved', '2026-11-28 21:45:29.755293+05:45', '{"step":7,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x611c94eee96bf9530b1a2c2a4fea34d5e3886bb99c94ccf1e8ffc02ddbeb2ea0');
INSERT INTO indelible.events_from_1 VALUES (10, 'order', 'o-1', 9, '01940000-0000-7000-8000-00000000000a', 'OrderMoved', '2026-11-28 21:45:29.772488+05:45', '{"step":8,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x1312b398b88668114785cba1560b2616790231ce97059c21f2d60c1c26e5916d');
INSERT INTO indelible.events_from_1 VALUES (11, 'order', 'o-1', 10, '01940000-0000-7000-8000-00000000000b', 'OrderMoved', '2026-11-28 21:45:29.784797+05:45', '{"step":9,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xeb598854a9b5a6ef26518706bac96edcc791eb718211a00b501f7d6b5362b8fc');
INSERT INTO indelible.events_from_1 VALUES (12, 'order', 'o-1', 11, '01940000-0000-7000-8000-00000000000c', 'OrderMoved', '2026-11-28 21:45:29.802548+05:45', '{"step":10,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x580652cf23956b3529d06be9e69fd3c81b1bcc03a1f4ca993bdbf0a4edfb39e8');
INSERT INTO indelible.events_from_1 VALUES (13, 'order', 'o-1', 12, '01940000-0000-7000-8000-00000000000d', 'OrderMoved', '2026-11-28 21:45:29.816351+05:45', '{"step":11,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x52ca9722a509965cb113488d6bf893edce7ae15540a7f205b3392d83b57f3e56');
INSERT INTO indelible.events_from_1 VALUES (14, 'order', 'o-1', 13, '01940000-0000-7000-8000-00000000000e', 'OrderMoved', '2026-11-28 21:45:29.825901+05:45', '{"step":12,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x3f46e97eea067bafb5945160e6a33d62f5f6f0e010ad46c462d3dcfd776f7778');
INSERT INTO indelible.events_from_1 VALUES (15, 'order', 'o-1', 14, '01940000-0000-7000-8000-00000000000f', 'OrderMoved', '2026-11-28 21:45:29.840284+05:45', '{"step":13,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x1760cb061e70d23ebaf2b96073a974ce3df9e8de99496d086c950964a9a98ab7');
INSERT INTO indelible.events_from_1 VALUES (16, 'order', 'o-1', 15, '01940000-0000-7000-8000-000000000010', 'OrderMoved', '2026-11-28 21:45:29.869331+05:45', '{"step":14,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x9115a022e183d77cb363e3fcf13c108450d8d30bd22a5a129f05f090aa66e625');
INSERT INTO indelible.events_from_1 VALUES (17, 'order', 'o-1', 16, '01940000-0000-7000-8000-000000000011', 'OrderMoved', '2026-11-28 21:45:29.876489+05:45', '{"step":15,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x6572fc409341bc9f0f7cfb20d722705795fe48bb4a7e684ac335d5adb9a6d3ae');
INSERT INTO indelible.events_from_1 VALUES (18, 'order', 'o-1', 17, '01940000-0000-7000-8000-000000000012', 'OrderMoved', '2026-11-28 21:45:29.884138+05:45', '{"step":16,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xc0614ed0ce85e5c736a5223e8d533c731147cc2f7abedd8fb61747699ab624bf');
INSERT INTO indelible.events_from_1 VALUES (19, 'order', 'o-1', 18, '01940000-0000-7000-8000-000000000013', 'OrderMoved', '2026-11-28 21:45:29.893529+05:45', '{"step":17,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x5bc3e47c5f1271e43ae8495dee7a2222dd017e739c324b7b71a50a6f06cb4f54');
INSERT INTO indelible.events_from_1 VALUES (20, 'order', 'o-1', 19, '01940000-0000-7000-8000-000000000014', 'OrderMoved', '2026-11-28 21:45:29.898267+05:45', '{"step":18,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x29149e95029613d2cdc844ee593bc90c17afc538b70c87b0d4204878e37d907c');
INSERT INTO indelible.events_from_1 VALUES (21, 'order', 'o-1', 20, '01940000-0000-7000-8000-000000000015', 'OrderMoved', '2026-11-28 21:45:29.901935+05:45', '{"step":19,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x43ce7c0ef6b97d8d06b1543c343d70230a3c6be8ef85461159527b5d8205eac2');
INSERT INTO indelible.events_from_1 VALUES (22, 'order', 'o-1', 21, '01940000-0000-7000-8000-000000000016', 'OrderMoved', '2026-11-28 21:45:29.910724+05:45', '{"step":20,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x64b4fb2d259d90712a4cc1c8e8442def37ec6066d4c69698638f43b513dfe2dc');
INSERT INTO indelible.events_from_1 VALUES (23, 'order', 'o-1', 22, '01940000-0000-7000-8000-000000000017', 'OrderMoved', '2026-11-28 21:45:29.914519+05:45', '{"step":21,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xb173052c735fe296750afa01819d2028d613dbd1a407720fdf6d507d32b65411');
INSERT INTO indelible.events_from_1 VALUES (24, 'order', 'o-1', 23, '01940000-0000-7000-8000-000000000018', 'OrderMoved', '2026-11-28 21:45:29.917993+05:45', '{"step":22,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x0d423684bcc9a6b4aedd8a7d16b7408788a2f3f4a4b0948f3e77d4504ffb730b');
INSERT INTO indelible.events_from_1 VALUES (25, 'order', 'o-1', 24, '01940000-0000-7000-8000-000000000019', 'OrderMoved', '2026-11-28 21:45:29.924539+05:45', '{"step":23,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x57056d178e636f41bd72fac155a6ed976aa16c35697cc48b22066f72fc4c7f73');
INSERT INTO indelible.events_from_1 VALUES (26, 'order', 'o-1', 25, '01940000-0000-7000-8000-00000000001a', 'OrderMoved', '2026-11-28 21:45:29.930534+05:45', '{"step":24,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xf06e0b1cb919a3121858d43a1d3ee388e6c2d838165e6c40fa949fd49bd38363');
INSERT INTO indelible.events_from_1 VALUES (27, 'order', 'o-1', 26, '01940000-0000-7000-8000-00000000001b', 'OrderMoved', '2026-11-28 21:45:29.935858+05:45', '{"step":25,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x34de05c328f7e0f2637b095661447d8140a9a06166996a73d0807c5d93f5b049');
INSERT INTO indelible.events_from_1 VALUES (28, 'order', 'o-1', 27, '01940000-0000-7000-8000-00000000001c', 'OrderMoved', '2026-11-28 21:45:29.943506+05:45', '{"step":26,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xe522bd0b122566b66b33c88cf37ed233c200faaf96cc0e8c6a0f1a5597495615');
INSERT INTO indelible.events_from_1 VALUES (29, 'order', 'o-1', 28, '01940000-0000-7000-8000-00000000001d', 'OrderMoved', '2026-11-28 21:45:29.949414+05:45', '{"step":27,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x5ee824419819515b9bca48a14fcdc208ae661404e09b241a35957e3f9a5d2e87');
INSERT INTO indelible.events_from_1 VALUES (30, 'order', 'o-1', 29, '01940000-0000-7000-8000-00000000001e', 'OrderMoved', '2026-11-28 21:45:29.956167+05:45', '{"step":28,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x1c27ca9c346a85835b7bdc5fc50147bc24a6a42815554d46e6ae7da97fbc795d');
INSERT INTO indelible.events_from_1 VALUES (31, 'order', 'o-1', 30, '01940000-0000-7000-8000-00000000001f', 'OrderMoved', '2026-11-28 21:45:29.958301+05:45', '{"step":29,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x338cd6dc625ec59d8584e277d7fe2ab9bbd7fe92a55a438e16cff8beb20c97a3');
INSERT INTO indelible.events_from_1 VALUES (32, 'order', 'o-1', 31, '01940000-0000-7000-8000-000000000020', 'OrderMoved', '2026-11-28 21:45:29.964559+05:45', '{"step":30,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xd99a2aa929720a437dd1a0a6211befa2af95019150f4b3180e9b3c171ff58511');
INSERT INTO indelible.events_from_1 VALUES (33, 'image', 'i-1', 1, '01940000-0000-7000-8000-000000000021', 'Scanned', '2026-11-28 21:45:29.968539+05:45', NULL, 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5fYGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn+AgYKDhIWGh4iJiouMjY6PkJGSk5SVlpeYmZqbnJ2en6ChoqOkpaanqKmqq6ytrq+wsbKztLW2t7i5uru8vb6/wMHCw8TFxsfIycrLzM3Oz9DR0tPU1dbX2Nna29zd3t/g4eLj5OXm5+jp6uvs7e7v8PHy8/T19vf4+fr7/P3+/w==', NULL, '["eu"]', 'image/png', '\xff2b7dd5dbd6c572196f8cd88be996594e3285f8e1e49612564e2ef379f0b9be');
INSERT INTO indelible.events_from_1 VALUES (34, 'image', 'i-1', 2, '01940000-0000-7000-8000-000000000022', 'Described', '2026-11-28 21:45:29.971496+05:45', '{"x":1}', NULL, NULL, NULL, 'application/vnd.image+json', '\x138653606902e42605777d7bff5b55136493ce8cb73580b95d3b55e673c5c3de');
INSERT INTO indelible.events_from_1 VALUES (35, 'archive', 'a', 1, '01940000-0000-7000-8000-000000000023', 'Filled', '2026-11-28 21:45:29.974433+05:45', '"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"', NULL, NULL, NULL, NULL, '\xa112c7a69fec4e404a97b824a5a0a04affb3a9cb920744e14e40b50ac4331dc6');
INSERT INTO indelible.events_from_1 VALUES (36, 'archive', 'a', 2, '01940000-0000-7000-8000-000000000024', 'Emptied', '2026-11-28 21:45:29.974433+05:45', 'null', NULL, NULL, NULL, NULL, '\x9f3c92f25bea4e0d60645f45f96f67488e9648426c773cd972f077797ce2d8e2');
INSERT INTO indelible.events_from_1 VALUES (37, 'account', 'from', 1, '01940000-0000-7000-8000-000000000025', 'Withdrawn', '2026-11-28 21:45:29.981341+05:45', '{"amount":5}', NULL, NULL, '["transfer"]', NULL, '\x12551ec79814fa451f6dd3f33b33671966200c6313b5336da14c9cc3694ade0e');
INSERT INTO indelible.events_from_1 VALUES (38, 'account', 'to', 1, '01940000-0000-7000-8000-000000000026', 'Deposited', '2026-11-28 21:45:29.981341+05:45', '{"amount":5}', NULL, NULL, '["transfer"]', NULL, '\xec562d2192d0c059c1260dbe2dc87a0b8b43c76c7025f0bd0f2ab1cdf7a06ca9');
INSERT INTO indelible.group_skips VALUES (1, 1, 'order', 'o-1', 1, 3, 'no total', 'known to be wrong', '2026-01-01 05:45:00.000001+05:45');
INSERT INTO indelible.group_unfinished VALUES (1, 2, 'order', 'ó/ż 🦀', 1, 0, 'in_flight', 1767225600000005, 1, 1767225600000002, 'worker 1', '', false);
INSERT INTO indelible.group_unfinished VALUES (1, 3, 'order', 'o-1', 2, 29, 'parked', 1767225600000003, 3, 1767225600000001, '', '"none"', false);
INSERT INTO indelible.group_unfinished VALUES (1, 33, 'image', 'i-1', 1, 1, 'waiting', 1767225600000009, 0, 0, '', '', false);
INSERT INTO indelible.group_unfinished VALUES (1, 35, '', '', 0, 0, 'parked', 1767225600000004, 0, 0, '', 'store_corrupted', true);
INSERT INTO indelible.heads VALUES (0, 38, '2026-11-28 21:45:29.981341+05:45', '\xec562d2192d0c059c1260dbe2dc87a0b8b43c76c7025f0bd0f2ab1cdf7a06ca9');
INSERT INTO indelible.schema_steps VALUES (1, 'pre', '2026-11-28 21:45:29.408793+05:45');
INSERT INTO indelible.schema_steps VALUES (2, 'pre', '2026-11-28 21:45:29.408793+05:45');
INSERT INTO indelible.snapshots VALUES (1, 10, '2026-11-28 21:45:29.993027+05:45', '{"step":10}', '{"by":"make"}');
INSERT INTO indelible.snapshots VALUES (1, 20, '2026-11-28 21:45:30.002724+05:45', '{"step":20}', '{}');
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
