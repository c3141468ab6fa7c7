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
CREATE TABLE indelible.relays (
    name text NOT NULL COLLATE pg_catalog."C",
    revision bigint NOT NULL,
    epoch bigint NOT NULL,
    owner text NOT NULL,
    lease_until_us bigint NOT NULL,
    "position" bigint NOT NULL,
    published bigint NOT NULL,
    is_paused boolean NOT NULL,
    is_stopped boolean NOT NULL,
    problem text,
    reset_epoch bigint NOT NULL,
    save_id text NOT NULL,
    beside text NOT NULL
)
WITH (fillfactor='10', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000');
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
INSERT INTO indelible.event_types VALUES (37, 'account', 'Withdrawn', 1);
INSERT INTO indelible.event_types VALUES (38, 'account', 'Deposited', 1);
INSERT INTO indelible.events_from_1 VALUES (1, 'order', 'o-1', 1, '01940000-0000-7000-8000-000000000001', 'OrderPlaced', '2026-11-29 17:20:19.353379+05:45', '{"total":42.5,"lines":[1,2,3]}', NULL, NULL, '["eu","vip"]', NULL, '\xbb147317746ab74c8a67cc1838ea0b60ce827ac9bc65d3d08fe2bb930b9ad950');
INSERT INTO indelible.events_from_1 VALUES (2, 'order', 'ó/ż 🦀', 1, '01940000-0000-7000-8000-000000000002', 'OrderPlaced', '2026-11-29 17:20:19.366755+05:45', '{"total":1,"n":18446744073709551616,"real":1.0}', NULL, NULL, NULL, NULL, '\x1a0ce55f382c9e9c7ba7a0d67ed8c80c9d72dc1bc391509885dd2f134155b198');
INSERT INTO indelible.events_from_1 VALUES (3, 'order', 'o-1', 2, '01940000-0000-7000-8000-000000000003', 'OrderMoved', '2026-11-29 17:20:19.369543+05:45', '{"step":1,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x8eb51ac7b33c9f5f38250d2b023215d788e6682b1b87e4ba99033a3671469bc1');
INSERT INTO indelible.events_from_1 VALUES (4, 'order', 'o-1', 3, '01940000-0000-7000-8000-000000000004', 'OrderMoved', '2026-11-29 17:20:19.373014+05:45', '{"step":2,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xe9f1b13d13c8d8f2ab7fe175c2959cbc6bb41490d6e4db0ab23940a6b060d6bf');
INSERT INTO indelible.events_from_1 VALUES (5, 'order', 'o-1', 4, '01940000-0000-7000-8000-000000000005', 'OrderMoved', '2026-11-29 17:20:19.385862+05:45', '{"step":3,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xb26df83b88a058131ff5f1050821c9e2812f27526e1f661a7bd871f3563ccf62');
INSERT INTO indelible.events_from_1 VALUES (6, 'order', 'o-1', 5, '01940000-0000-7000-8000-000000000006', 'OrderMoved', '2026-11-29 17:20:19.389454+05:45', '{"step":4,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xb9cf2548d49d8a7d12fa82b582ef891faca24327d9255d07e0c3ac3c3eeb3d6c');
INSERT INTO indelible.events_from_1 VALUES (7, 'order', 'o-1', 6, '01940000-0000-7000-8000-000000000007', 'OrderMoved', '2026-11-29 17:20:19.392831+05:45', '{"step":5,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x10c8cac1b7a3ce127ee2440d00f5a0327ff2523c43f68dc3638d70d565d04644');
INSERT INTO indelible.events_from_1 VALUES (8, 'order', 'o-1', 7, '01940000-0000-7000-8000-000000000008', 'OrderMoved', '2026-11-29 17:20:19.395431+05:45', '{"step":6,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x75851c55b41ea22573012788493b8ea1fb5c056067169564b39b046cfd2997c8');
INSERT INTO indelible.events_from_1 VALUES (9, 'order', 'o-1', 8, '01940000-0000-7000-8000-000000000009', 'OrderMoved', '2026-11-29 17:20:19.398037+05:45', '{"step":7,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xad6102c897b39a83385e3691c1aa727bbdf87d98b91b65414f6a9619ce370d1d');
INSERT INTO indelible.events_from_1 VALUES (10, 'order', 'o-1', 9, '01940000-0000-7000-8000-00000000000a', 'OrderMoved', '2026-11-29 17:20:19.399836+05:45', '{"step":8,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xd5e174dbbb0b2ee86a066d7b23420a355d6fee0f15a965062375bd55d4f77804');
INSERT INTO indelible.events_from_1 VALUES (11, 'order', 'o-1', 10, '01940000-0000-7000-8000-00000000000b', 'OrderMoved', '2026-11-29 17:20:19.402565+05:45', '{"step":9,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x471270ef10f00f236d2fa8f7ea111d948d63d75fe95990e23d1de1005e2fadac');
INSERT INTO indelible.events_from_1 VALUES (12, 'order', 'o-1', 11, '01940000-0000-7000-8000-00000000000c', 'OrderMoved', '2026-11-29 17:20:19.406078+05:45', '{"step":10,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xb38e8125d8a69fee55daa071f910a7a6d4caaaa465ebe9452aadec7479ed2bd4');
INSERT INTO indelible.events_from_1 VALUES (13, 'order', 'o-1', 12, '01940000-0000-7000-8000-00000000000d', 'OrderMoved', '2026-11-29 17:20:19.409122+05:45', '{"step":11,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x0647dea36b433774dc2a7b24f403e7b7fd5841ac5f62e9bbe7272ce660d81911');
INSERT INTO indelible.events_from_1 VALUES (14, 'order', 'o-1', 13, '01940000-0000-7000-8000-00000000000e', 'OrderMoved', '2026-11-29 17:20:19.411761+05:45', '{"step":12,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x7b42d4039653c3c1084cfb41760f2c8d31df63683d1d9cb029ab77d94808b69b');
INSERT INTO indelible.events_from_1 VALUES (15, 'order', 'o-1', 14, '01940000-0000-7000-8000-00000000000f', 'OrderMoved', '2026-11-29 17:20:19.413888+05:45', '{"step":13,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xee214e0f9768caa5243e5276da29d8add9243ad91638a70a8875182305ef6f73');
INSERT INTO indelible.events_from_1 VALUES (16, 'order', 'o-1', 15, '01940000-0000-7000-8000-000000000010', 'OrderMoved', '2026-11-29 17:20:19.426012+05:45', '{"step":14,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xefff39a2d862934350f68249c1d8edff048469234741924796d21e5634642d7a');
INSERT INTO indelible.events_from_1 VALUES (17, 'order', 'o-1', 16, '01940000-0000-7000-8000-000000000011', 'OrderMoved', '2026-11-29 17:20:19.431504+05:45', '{"step":15,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xb28dbce79c141729cc44bfe2dd9f3eb7bde28494d49625fe6010b09643bd288d');
INSERT INTO indelible.events_from_1 VALUES (18, 'order', 'o-1', 17, '01940000-0000-7000-8000-000000000012', 'OrderMoved', '2026-11-29 17:20:19.435831+05:45', '{"step":16,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x02100721f44a03eabbc250de33ec16fc7215e5e60f01e1d9478c3831ef35aa7c');
INSERT INTO indelible.events_from_1 VALUES (19, 'order', 'o-1', 18, '01940000-0000-7000-8000-000000000013', 'OrderMoved', '2026-11-29 17:20:19.438762+05:45', '{"step":17,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xbeb367715a49ccf1e2e32c453971a5cf4de2b348c379195e79848ca9bb71b4bc');
INSERT INTO indelible.events_from_1 VALUES (20, 'order', 'o-1', 19, '01940000-0000-7000-8000-000000000014', 'OrderMoved', '2026-11-29 17:20:19.44194+05:45', '{"step":18,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x983300c017da91266b16ef68592f95b497d651fd84b7993f03fa5bae53fadd19');
INSERT INTO indelible.events_from_1 VALUES (21, 'order', 'o-1', 20, '01940000-0000-7000-8000-000000000015', 'OrderMoved', '2026-11-29 17:20:19.445393+05:45', '{"step":19,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x4ef33bb6b2d72568700ab895f331b075345da767c39c4b7eec3dabe0de3735f4');
INSERT INTO indelible.events_from_1 VALUES (22, 'order', 'o-1', 21, '01940000-0000-7000-8000-000000000016', 'OrderMoved', '2026-11-29 17:20:19.448211+05:45', '{"step":20,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x47821cf6817204b6bdddaa5a966f1d48b36cf7e31711a8a281128cef0ce419c4');
INSERT INTO indelible.events_from_1 VALUES (23, 'order', 'o-1', 22, '01940000-0000-7000-8000-000000000017', 'OrderMoved', '2026-11-29 17:20:19.451454+05:45', '{"step":21,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x4551684d49b8ef8765259901a84bc3f6c89e01c717efcff87761f61c8de1cac9');
INSERT INTO indelible.events_from_1 VALUES (24, 'order', 'o-1', 23, '01940000-0000-7000-8000-000000000018', 'OrderMoved', '2026-11-29 17:20:19.454323+05:45', '{"step":22,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x9e7fa6ebdffbd3fd4441ccb308cc24eacd29dfe8afbb2205d832877531937939');
INSERT INTO indelible.events_from_1 VALUES (25, 'order', 'o-1', 24, '01940000-0000-7000-8000-000000000019', 'OrderMoved', '2026-11-29 17:20:19.457318+05:45', '{"step":23,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xe397f2e38ee6602723dfefea971f7e9cb050f28a381167a38d14fcd9431683dc');
INSERT INTO indelible.events_from_1 VALUES (26, 'order', 'o-1', 25, '01940000-0000-7000-8000-00000000001a', 'OrderMoved', '2026-11-29 17:20:19.459304+05:45', '{"step":24,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xd50dfced7efa9fa606d441f278c0d5d1e41b38940370bbe705d01a4f5c11d254');
INSERT INTO indelible.events_from_1 VALUES (27, 'order', 'o-1', 26, '01940000-0000-7000-8000-00000000001b', 'OrderMoved', '2026-11-29 17:20:19.461501+05:45', '{"step":25,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xf7bfc1814d7bccf86fcecfe91b926bfb122d1b46e95a1c089d49d6785f1a925c');
INSERT INTO indelible.events_from_1 VALUES (28, 'order', 'o-1', 27, '01940000-0000-7000-8000-00000000001c', 'OrderMoved', '2026-11-29 17:20:19.463132+05:45', '{"step":26,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x746dec1737bc735fd0349e9b639cfd31e98fb22444a2a5806235dc11a838c897');
INSERT INTO indelible.events_from_1 VALUES (29, 'order', 'o-1', 28, '01940000-0000-7000-8000-00000000001d', 'OrderMoved', '2026-11-29 17:20:19.465586+05:45', '{"step":27,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xf1e4716f6b7dff3337601d918c5aa53fc206d0fbdd934430cec31c9fc5a979bf');
INSERT INTO indelible.events_from_1 VALUES (30, 'order', 'o-1', 29, '01940000-0000-7000-8000-00000000001e', 'OrderMoved', '2026-11-29 17:20:19.468779+05:45', '{"step":28,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x139eff945c310bf178c454dbed6b6597e2bdc776b624a485b2e86a2798570f86');
INSERT INTO indelible.events_from_1 VALUES (31, 'order', 'o-1', 30, '01940000-0000-7000-8000-00000000001f', 'OrderMoved', '2026-11-29 17:20:19.471706+05:45', '{"step":29,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xabe35261b5de723923a1d146df0c881bd66a3396a20c35744cde200cfd09e9cb');
INSERT INTO indelible.events_from_1 VALUES (32, 'order', 'o-1', 31, '01940000-0000-7000-8000-000000000020', 'OrderMoved', '2026-11-29 17:20:19.47318+05:45', '{"step":30,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xfd62e414063c7739decf044c980210063f22d55d15e75eed202f94c74bf4c3d1');
INSERT INTO indelible.events_from_1 VALUES (33, 'image', 'i-1', 1, '01940000-0000-7000-8000-000000000021', 'Scanned', '2026-11-29 17:20:19.475696+05:45', NULL, 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5fYGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn+AgYKDhIWGh4iJiouMjY6PkJGSk5SVlpeYmZqbnJ2en6ChoqOkpaanqKmqq6ytrq+wsbKztLW2t7i5uru8vb6/wMHCw8TFxsfIycrLzM3Oz9DR0tPU1dbX2Nna29zd3t/g4eLj5OXm5+jp6uvs7e7v8PHy8/T19vf4+fr7/P3+/w==', NULL, '["eu"]', 'image/png', '\xfb5ae261c95c74f42a14a8ca87a4807473dc30512ca90804fd8c00449a2c1b00');
INSERT INTO indelible.events_from_1 VALUES (34, 'image', 'i-1', 2, '01940000-0000-7000-8000-000000000022', 'Described', '2026-11-29 17:20:19.477628+05:45', '{"x":1}', NULL, NULL, NULL, 'application/vnd.image+json', '\xe8912e5c5be97416c25045685e10b4a9d7b2f5116c7c145c1ecbb3738beb5184');
INSERT INTO indelible.events_from_1 VALUES (35, 'archive', 'a', 1, '01940000-0000-7000-8000-000000000023', 'Filled', '2026-11-29 17:20:19.479686+05:45', '"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"', NULL, NULL, NULL, NULL, '\x74b12564a5561aa5b64cf0387e097a1d4723b61431b49313de218d525d875303');
INSERT INTO indelible.events_from_1 VALUES (36, 'archive', 'a', 2, '01940000-0000-7000-8000-000000000024', 'Emptied', '2026-11-29 17:20:19.479686+05:45', 'null', NULL, NULL, NULL, NULL, '\x5c4c5c8fd916cbaf45d258211947a8f5a43cc904653b85f4814179b5bef5c9bf');
INSERT INTO indelible.events_from_1 VALUES (37, 'account', 'from', 1, '01940000-0000-7000-8000-000000000025', 'Withdrawn', '2026-11-29 17:20:19.482346+05:45', '{"amount":5}', NULL, NULL, '["transfer"]', NULL, '\x6fa3ba5d2f1949d6bfb7cb861f77221ba759496e3a5998594bb134b1d7bdba46');
INSERT INTO indelible.events_from_1 VALUES (38, 'account', 'to', 1, '01940000-0000-7000-8000-000000000026', 'Deposited', '2026-11-29 17:20:19.482346+05:45', '{"amount":5}', NULL, NULL, '["transfer"]', NULL, '\x89c631cfb744c9d45e56628c805db6a4a2075685ce0725de7896639d570ab56c');
INSERT INTO indelible.group_skips VALUES (1, 1, 'order', 'o-1', 1, 3, 'no total', 'known to be wrong', '2026-01-01 05:45:00.000001+05:45');
INSERT INTO indelible.group_unfinished VALUES (1, 2, 'order', 'ó/ż 🦀', 1, 0, 'in_flight', 1767225600000005, 1, 1767225600000002, 'worker 1', '', false);
INSERT INTO indelible.group_unfinished VALUES (1, 3, 'order', 'o-1', 2, 29, 'parked', 1767225600000003, 3, 1767225600000001, '', '"none"', false);
INSERT INTO indelible.group_unfinished VALUES (1, 33, 'image', 'i-1', 1, 1, 'waiting', 1767225600000009, 0, 0, '', '', false);
INSERT INTO indelible.group_unfinished VALUES (1, 35, '', '', 0, 0, 'parked', 1767225600000004, 0, 0, '', 'store_corrupted', true);
INSERT INTO indelible.heads VALUES (0, 38, '2026-11-29 17:20:19.482346+05:45', '\x89c631cfb744c9d45e56628c805db6a4a2075685ce0725de7896639d570ab56c');
INSERT INTO indelible.relays VALUES ('to nats 🦀', 2, 3, 'host 1', 1767225600000000, 20, 7, true, true, 'the event at position 21 is too large', 2, '00000000-0000-0000-0000-000000000002', '{"replays":2,"replay":{"name":"replay-1","begin":1,"position":9,"until":20,"published":3},"set_aside":[{"position":2,"event_id":"00000000-0000-0000-0000-000000000003","aggregate_type":"order","aggregate_id":"ó/ż 🦀","reason":"larger than \"allowed\"","set_aside_us":1767225600000000},{"position":5,"event_id":"00000000-0000-0000-0000-000000000003","aggregate_type":"order","aggregate_id":"ó/ż 🦀","reason":"larger than \"allowed\"","set_aside_us":1767225600000000,"retry":"replay-2"}]}');
INSERT INTO indelible.relays VALUES ('to kafka', 1, 1, 'host 1', 1767225600000000, 3, 0, false, false, NULL, 0, '00000000-0000-0000-0000-000000000001', '{}');
INSERT INTO indelible.schema_steps VALUES (1, 'pre', '2026-11-29 17:20:19.291251+05:45');
INSERT INTO indelible.schema_steps VALUES (2, 'pre', '2026-11-29 17:20:19.291251+05:45');
INSERT INTO indelible.schema_steps VALUES (3, 'pre', '2026-11-29 17:20:19.291251+05:45');
INSERT INTO indelible.snapshots VALUES (1, 10, '2026-11-29 17:20:19.487764+05:45', '{"step":10}', '{"by":"make"}');
INSERT INTO indelible.snapshots VALUES (1, 20, '2026-11-29 17:20:19.490645+05:45', '{"step":20}', '{}');
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
ALTER TABLE ONLY indelible.relays
    ADD CONSTRAINT relays_pkey PRIMARY KEY (name);
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
