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
INSERT INTO indelible.events_from_1 VALUES (1, 'order', 'o-1', 1, '01940000-0000-7000-8000-000000000001', 'OrderPlaced', '2026-11-25 01:09:28.617866+05:45', '{"total":42.5,"lines":[1,2,3]}', NULL, NULL, '["eu","vip"]', NULL, '\x81637f566cbe4197c5a62b494d403aa801f8d21988221c226d74aaefaf4ba992');
INSERT INTO indelible.events_from_1 VALUES (2, 'order', 'ó/ż 🦀', 1, '01940000-0000-7000-8000-000000000002', 'OrderPlaced', '2026-11-25 01:09:28.638873+05:45', '{"total":1,"n":18446744073709551616,"real":1.0}', NULL, NULL, NULL, NULL, '\x00a435ad86c432ebf883ff8a487be87b5d7bea65539e2aab46713ee338da3216');
INSERT INTO indelible.events_from_1 VALUES (3, 'order', 'o-1', 2, '01940000-0000-7000-8000-000000000003', 'OrderMoved', '2026-11-25 01:09:28.647948+05:45', '{"step":1,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x9f4aeae977de9797cf10b7873f7298c82d88a5e794f65429b0400db3ac4a69d6');
INSERT INTO indelible.events_from_1 VALUES (4, 'order', 'o-1', 3, '01940000-0000-7000-8000-000000000004', 'OrderMoved', '2026-11-25 01:09:28.650681+05:45', '{"step":2,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x27f2c4986634d5862b3ad3ea5830dfb16bf223a286cd0f899c2d12359e336dde');
INSERT INTO indelible.events_from_1 VALUES (5, 'order', 'o-1', 4, '01940000-0000-7000-8000-000000000005', 'OrderMoved', '2026-11-25 01:09:28.653125+05:45', '{"step":3,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x3531a31e772566f6348c442717178fb0f256331f849b67827610a1da8bb8e2d7');
INSERT INTO indelible.events_from_1 VALUES (6, 'order', 'o-1', 5, '01940000-0000-7000-8000-000000000006', 'OrderMoved', '2026-11-25 01:09:28.656084+05:45', '{"step":4,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xf777fd4b4c95cf5803ca43123ab1c55a3a8ce685c65da21dc74babd96077199a');
INSERT INTO indelible.events_from_1 VALUES (7, 'order', 'o-1', 6, '01940000-0000-7000-8000-000000000007', 'OrderMoved', '2026-11-25 01:09:28.658645+05:45', '{"step":5,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x840e2dbf8e09a0e2ccdb4024800c04120f54dd6031b490886fc39381cef89287');
INSERT INTO indelible.events_from_1 VALUES (8, 'order', 'o-1', 7, '01940000-0000-7000-8000-000000000008', 'OrderMoved', '2026-11-25 01:09:28.660774+05:45', '{"step":6,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xbd39eba7f3843056f37592cbcf1d3fd24b9da7b7e1429f5dc373328a692a367c');
INSERT INTO indelible.events_from_1 VALUES (9, 'order', 'o-1', 8, '01940000-0000-7000-8000-000000000009', 'OrderMoved', '2026-11-25 01:09:28.662787+05:45', '{"step":7,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x8809ba794705d2b0d1186cc78ba947514e0b895c983024615fe8ae81cc66f4c0');
INSERT INTO indelible.events_from_1 VALUES (10, 'order', 'o-1', 9, '01940000-0000-7000-8000-00000000000a', 'OrderMoved', '2026-11-25 01:09:28.664941+05:45', '{"step":8,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xed670a392b6ffaf28f27542b7cf3b1d2155b10a6af3c94ac9bcbb9e054a02726');
INSERT INTO indelible.events_from_1 VALUES (11, 'order', 'o-1', 10, '01940000-0000-7000-8000-00000000000b', 'OrderMoved', '2026-11-25 01:09:28.667643+05:45', '{"step":9,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xcbcf19f3500675ac9c47f304e78b7c9f139bbc676e81d8a121b6f74d014627a9');
INSERT INTO indelible.events_from_1 VALUES (12, 'order', 'o-1', 11, '01940000-0000-7000-8000-00000000000c', 'OrderMoved', '2026-11-25 01:09:28.669495+05:45', '{"step":10,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x805cdd967e0866759454fcc1af6eb00d3e2dbd0505f9b7b4ec67a2419a716f5f');
INSERT INTO indelible.events_from_1 VALUES (13, 'order', 'o-1', 12, '01940000-0000-7000-8000-00000000000d', 'OrderMoved', '2026-11-25 01:09:28.67193+05:45', '{"step":11,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x3613a71a53431850620171a7d5765e171044f65dcd5c09a5d09e2f7148feed42');
INSERT INTO indelible.events_from_1 VALUES (14, 'order', 'o-1', 13, '01940000-0000-7000-8000-00000000000e', 'OrderMoved', '2026-11-25 01:09:28.673844+05:45', '{"step":12,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xb11474c4c068d8bb2c0c0a82fdb214bb76861626fea34b321c329bc194edfcdb');
INSERT INTO indelible.events_from_1 VALUES (15, 'order', 'o-1', 14, '01940000-0000-7000-8000-00000000000f', 'OrderMoved', '2026-11-25 01:09:28.676282+05:45', '{"step":13,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xacd0d08eb0c78db4171d2dad40bb28be417fd07c4907ee9becb672d28d43acbc');
INSERT INTO indelible.events_from_1 VALUES (16, 'order', 'o-1', 15, '01940000-0000-7000-8000-000000000010', 'OrderMoved', '2026-11-25 01:09:28.678405+05:45', '{"step":14,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x036fa71495a1610b7496a7a44534bd47559afd04223a465373920c46eaff5e89');
INSERT INTO indelible.events_from_1 VALUES (17, 'order', 'o-1', 16, '01940000-0000-7000-8000-000000000011', 'OrderMoved', '2026-11-25 01:09:28.680508+05:45', '{"step":15,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x7fc086f60f0da26d43515aa22b283ca061c781e8939246b4564029527da87ea1');
INSERT INTO indelible.events_from_1 VALUES (18, 'order', 'o-1', 17, '01940000-0000-7000-8000-000000000012', 'OrderMoved', '2026-11-25 01:09:28.682559+05:45', '{"step":16,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x8a8fd4e8f1916538216b7d73acc588992096bbd40b884037ebc8d79450f296ca');
INSERT INTO indelible.events_from_1 VALUES (19, 'order', 'o-1', 18, '01940000-0000-7000-8000-000000000013', 'OrderMoved', '2026-11-25 01:09:28.684896+05:45', '{"step":17,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xe2f09d5b38645a6a55738d8380bc17a9ff2401cec652776041c63923f97343d6');
INSERT INTO indelible.events_from_1 VALUES (20, 'order', 'o-1', 19, '01940000-0000-7000-8000-000000000014', 'OrderMoved', '2026-11-25 01:09:28.686858+05:45', '{"step":18,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x69cb6b2ea85d18b5d751d31f20312b5a640cce1e4d643b0aa73f63e5a1670595');
INSERT INTO indelible.events_from_1 VALUES (21, 'order', 'o-1', 20, '01940000-0000-7000-8000-000000000015', 'OrderMoved', '2026-11-25 01:09:28.689124+05:45', '{"step":19,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xeaf53184a49c1b9e7ba68947d0e91ba7f728d4192d11e55b7d674d6e2d5f1e62');
INSERT INTO indelible.events_from_1 VALUES (22, 'order', 'o-1', 21, '01940000-0000-7000-8000-000000000016', 'OrderMoved', '2026-11-25 01:09:28.691109+05:45', '{"step":20,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x0097dc65e3fa1e14546d30c5c69da9e8dd780fd7c5dcea09ba75255039ed20c6');
INSERT INTO indelible.events_from_1 VALUES (23, 'order', 'o-1', 22, '01940000-0000-7000-8000-000000000017', 'OrderMoved', '2026-11-25 01:09:28.693108+05:45', '{"step":21,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x577b54ecd0a1a39ce9d556693e8cc05e6b98137919ddc1fb462f621b4e4379c0');
INSERT INTO indelible.events_from_1 VALUES (24, 'order', 'o-1', 23, '01940000-0000-7000-8000-000000000018', 'OrderMoved', '2026-11-25 01:09:28.695122+05:45', '{"step":22,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xa2079795f6fdd849ab0f81398b2062ecdb3b8c8a1bb4e0584bc62d9b39b9a709');
INSERT INTO indelible.events_from_1 VALUES (25, 'order', 'o-1', 24, '01940000-0000-7000-8000-000000000019', 'OrderMoved', '2026-11-25 01:09:28.697355+05:45', '{"step":23,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xadd4655bffdc66b4433c147effc84fffec79f706df61ba384ba012b94cf5fc62');
INSERT INTO indelible.events_from_1 VALUES (26, 'order', 'o-1', 25, '01940000-0000-7000-8000-00000000001a', 'OrderMoved', '2026-11-25 01:09:28.699081+05:45', '{"step":24,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x392eb2f842a35cbf5c262904bcd5c0713ec3ff15b702a3f7e44cf9e694431834');
INSERT INTO indelible.events_from_1 VALUES (27, 'order', 'o-1', 26, '01940000-0000-7000-8000-00000000001b', 'OrderMoved', '2026-11-25 01:09:28.70146+05:45', '{"step":25,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xbc3e64d8a45dd3fdaf6811579f082184d67750b9a46e308fe3c646d1343e4b0f');
INSERT INTO indelible.events_from_1 VALUES (28, 'order', 'o-1', 27, '01940000-0000-7000-8000-00000000001c', 'OrderMoved', '2026-11-25 01:09:28.703785+05:45', '{"step":26,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x774e114fa95faded9cb594948b9896c12dc511a1ef49e7bc0a125470067ab4e4');
INSERT INTO indelible.events_from_1 VALUES (29, 'order', 'o-1', 28, '01940000-0000-7000-8000-00000000001d', 'OrderMoved', '2026-11-25 01:09:28.705585+05:45', '{"step":27,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xe1c66047f9a405eb7736cfe64aead1fb2dd8567a60753f27af2b7a8f6c48fa85');
INSERT INTO indelible.events_from_1 VALUES (30, 'order', 'o-1', 29, '01940000-0000-7000-8000-00000000001e', 'OrderMoved', '2026-11-25 01:09:28.715993+05:45', '{"step":28,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x42a555f4c30ebd935f19382eac1bc5e9f674f10612e939ea9b287e4e5cc35c22');
INSERT INTO indelible.events_from_1 VALUES (31, 'order', 'o-1', 30, '01940000-0000-7000-8000-00000000001f', 'OrderMoved', '2026-11-25 01:09:28.719783+05:45', '{"step":29,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\xf8180303d8faecb3183dec23af60f759bf65e79961f2c787e68715fa8c578fc2');
INSERT INTO indelible.events_from_1 VALUES (32, 'order', 'o-1', 31, '01940000-0000-7000-8000-000000000020', 'OrderMoved', '2026-11-25 01:09:28.72356+05:45', '{"step":30,"text":"zażółć \"gęślą\"\n\\ jaźń"}', NULL, '{"actor":"ann"}', NULL, NULL, '\x143155667b3a1d791317bfc93b8c7fdc639681a58749e767c2b9b5db6098f768');
INSERT INTO indelible.events_from_1 VALUES (33, 'image', 'i-1', 1, '01940000-0000-7000-8000-000000000021', 'Scanned', '2026-11-25 01:09:28.731241+05:45', NULL, 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5fYGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn+AgYKDhIWGh4iJiouMjY6PkJGSk5SVlpeYmZqbnJ2en6ChoqOkpaanqKmqq6ytrq+wsbKztLW2t7i5uru8vb6/wMHCw8TFxsfIycrLzM3Oz9DR0tPU1dbX2Nna29zd3t/g4eLj5OXm5+jp6uvs7e7v8PHy8/T19vf4+fr7/P3+/w==', NULL, '["eu"]', 'image/png', '\x856f59753a7fc412ed6df346cc0c553043dc171418ccf4ef664e678a1b9b1a28');
INSERT INTO indelible.events_from_1 VALUES (34, 'image', 'i-1', 2, '01940000-0000-7000-8000-000000000022', 'Described', '2026-11-25 01:09:28.734972+05:45', '{"x":1}', NULL, NULL, NULL, 'application/vnd.image+json', '\xf89260678cd7da60fc19131440d9fb09880eb4c53dfbf80a717da3758950673f');
INSERT INTO indelible.events_from_1 VALUES (35, 'archive', 'a', 1, '01940000-0000-7000-8000-000000000023', 'Filled', '2026-11-25 01:09:28.743763+05:45', '"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"', NULL, NULL, NULL, NULL, '\x77e79e55a2b82f77ee5c6539c6ae4e25b332bd7e416fb2835b37689de397c03a');
INSERT INTO indelible.events_from_1 VALUES (36, 'archive', 'a', 2, '01940000-0000-7000-8000-000000000024', 'Emptied', '2026-11-25 01:09:28.743763+05:45', 'null', NULL, NULL, NULL, NULL, '\xd1cfe6515ec759319abecb3e739309df8e99f9c088c8691a6b90cb404b3d5fb4');
INSERT INTO indelible.events_from_1 VALUES (37, 'account', 'from', 1, '01940000-0000-7000-8000-000000000025', 'Withdrawn', '2026-11-25 01:09:28.755442+05:45', '{"amount":5}', NULL, NULL, '["transfer"]', NULL, '\xf6dd9b01840bd11e1522eb4a44bb3777329f901089c87baace0a42317035ab2e');
INSERT INTO indelible.events_from_1 VALUES (38, 'account', 'to', 1, '01940000-0000-7000-8000-000000000026', 'Deposited', '2026-11-25 01:09:28.755442+05:45', '{"amount":5}', NULL, NULL, '["transfer"]', NULL, '\x577126c241c3fff81d9bc23a9e9d743bf2b55433d945c301800c6b15308f1181');
INSERT INTO indelible.heads VALUES (0, 38, '2026-11-25 01:09:28.755442+05:45', '\x577126c241c3fff81d9bc23a9e9d743bf2b55433d945c301800c6b15308f1181');
INSERT INTO indelible.schema_steps VALUES (1, 'pre', '2026-11-25 01:09:28.459647+05:45');
INSERT INTO indelible.snapshots VALUES (1, 10, '2026-11-25 01:09:28.780904+05:45', '{"step":10}', '{"by":"make"}');
INSERT INTO indelible.snapshots VALUES (1, 20, '2026-11-25 01:09:28.794641+05:45', '{"step":20}', '{}');
ALTER TABLE ONLY indelible.aggregate_types
    ADD CONSTRAINT aggregate_types_pkey PRIMARY KEY (aggregate_type);
ALTER TABLE ONLY indelible.aggregates
    ADD CONSTRAINT aggregates_pkey PRIMARY KEY (aggregate);
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
