"""The initial copy: what PostgreSQL holds before firn starts."""

import pytest
from harness.firn_process import run_firn
from harness.lake import Lake
from harness.waiting import wait_until

TYPES = """
    CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
    CREATE TYPE point3 AS (x int, y int, z float8);
    CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
    CREATE TABLE many_types (
        id bigint PRIMARY KEY, a_bool bool, a_int2 int2, a_int4 int4, a_oid oid, a_float4 float4, a_float8 float8,
        a_numeric numeric(12, 3), a_wide_numeric numeric(38, 10), a_free_numeric numeric, a_money money,
        a_text text, a_varchar varchar(20), a_char char(5), a_name name, a_bytea bytea, a_uuid uuid,
        a_date date, a_time time, a_timetz timetz, a_timestamp timestamp, a_timestamptz timestamptz, an_interval interval,
        a_json json, a_jsonb jsonb, an_enum mood, a_domain email, a_composite point3, an_inet inet, a_cidr cidr,
        a_macaddr macaddr, a_bit bit(4), a_varbit varbit, a_point point, a_range int4range, a_tsvector tsvector, an_xml xml,
        some_ints int[], some_bigints bigint[], some_texts text[], some_floats float8[], some_bools bool[],
        some_numerics numeric(8, 2)[], some_uuids uuid[], some_timestamps timestamptz[], some_dates date[]
    );
"""
ROWS = """
    INSERT INTO many_types VALUES
    (1, true, 7, 42, 99, 1.5, 2.5, 123456789.125, 1234567890123456789012345678.0123456789, 1e50, '12.34',
     'plain', 'varying', 'abc', 'a name', '\\x00ff10', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
     '2024-02-29', '13:14:15.123456', '13:14:15+02', '2024-02-29 13:14:15.123456', '2024-02-29 13:14:15.123456+02',
     '1 year 2 days 03:04:05', '{"a": 1,  "a": 2}', '{"b": [1, null], "a": "x"}', 'happy', 'a@b', '(1,2,3.5)',
     '192.168.0.1/24', '10.0.0.0/8', '08:00:2b:01:02:03', B'1010', B'10101', '(1,2)', '[1,10)', 'a fat cat', '<a>b</a>',
     '{1,NULL,3}', '{9223372036854775807}', '{"a","NULL",NULL,"with \\"quotes\\" and, commas",""}',
     '{1.5,NaN,Infinity,-Infinity}', '{t,f,NULL}', '{1.25,-0.50}', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}',
     '{"2024-02-29 13:14:15.123456+02"}', '{1970-01-01}'),
    (2, false, -32768, -2147483648, 4294967295, '-Infinity', 'NaN', -0.001, -9999999999999999999999999999.9999999999,
     -0.00000000000000000001, '-0.01', '', '', '', '', '', '00000000-0000-0000-0000-000000000000',
     '0001-01-01', '00:00:00', '23:59:59.999999-12', '0001-01-01 00:00:00', '0001-01-02 00:00:00+00', '-1 month', 'null',
     'null', 'sad', '@', '(,,)', '::1', '::/0', 'ff:ff:ff:ff:ff:ff', B'0000', B'', '(-1.5,1e10)', 'empty', '', '',
     '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'),
    (3, NULL, 32767, 2147483647, 0, 3.4028235e38, 1.7976931348623157e308, 999999999.999, 0, 0.10, '92233720368547758.07',
     'ünïcödé 漢字 🐘 ' || chr(1) || E'\\n\\t\\\\', repeat('é', 20), 'ééééé', repeat('n', 63), decode(repeat('ab', 300), 'hex'),
     'ffffffff-ffff-ffff-ffff-ffffffffffff', '9999-12-31', '23:59:59.999999', '00:00+00', '9999-12-31 23:59:59.999999',
     '9999-12-31 23:59:59.999999+00', '0', '[1, 2.50, "x"]', '[1, 2.50, "x"]', 'ok', 'é@é', '(1,,NaN)', '1.2.3.4',
     '1.2.3.0/24', '00:00:00:00:00:00', B'1111', B'1', '(0,0)', '(,)', '''quoted'':1A', '<é/>',
     '{2147483647,-2147483648}', '{0}', '{é}', '{0}', '{t}', '{999999.99}', '{}', '{"1969-12-31 23:59:59.999999+00"}',
     '{0001-01-01,9999-12-31}');
    INSERT INTO many_types (id) VALUES (4), (-9223372036854775808), (9223372036854775807);
"""


def test_values_of_many_types_arrive_as_they_are(pipeline):
    pipeline.execute(TYPES + ROWS)
    pipeline.catch_up()
    pipeline.expect_equal("many_types")


def test_values_of_many_types_stream_as_they_are(pipeline):
    pipeline.execute(TYPES)
    pipeline.catch_up()
    pipeline.execute(ROWS)
    pipeline.catch_up()
    pipeline.expect_equal("many_types")
    pipeline.execute("UPDATE many_types SET a_int4 = 1, a_char = 'x', a_numeric = NULL WHERE id IN (1, 4)")
    pipeline.catch_up()
    pipeline.expect_equal("many_types")


def test_key_columns_are_identifier_fields(pipeline):
    pipeline.execute("CREATE TABLE t (v text, b text, a int, PRIMARY KEY (a, b)); INSERT INTO t VALUES ('v', 'b', 1)")
    pipeline.catch_up()
    schema = pipeline.lake.table("public", "t").schema()
    assert schema.identifier_field_names() == {"a", "b"}
    assert [field.name for field in schema.fields if field.required] == ["b", "a"]
    pipeline.expect_equal("t")


def test_keys_of_every_usual_type(pipeline):
    pipeline.execute(
        """
        CREATE TABLE by_text (k text PRIMARY KEY, v int);
        INSERT INTO by_text SELECT 'key ' || n, n FROM generate_series(1, 500) n;
        CREATE TABLE by_uuid (k uuid PRIMARY KEY, v int);
        INSERT INTO by_uuid SELECT md5(n::text)::uuid, n FROM generate_series(1, 500) n;
        CREATE TABLE by_numeric (k numeric(10, 2) PRIMARY KEY, v int);
        INSERT INTO by_numeric SELECT n / 4.0, n FROM generate_series(-250, 250) n;
        CREATE TABLE by_time (k timestamptz, l date, v int, PRIMARY KEY (l, k));
        INSERT INTO by_time SELECT '1970-01-01'::timestamptz + n * interval '1 hour', '1970-01-01'::date + n, n
            FROM generate_series(-250, 250) n;
        CREATE TABLE by_bytes (k bytea PRIMARY KEY, v int);
        INSERT INTO by_bytes SELECT decode(lpad(to_hex(n), 4, '0'), 'hex'), n FROM generate_series(1, 500) n;
        CREATE TABLE by_float (k float8 PRIMARY KEY, v int);
        INSERT INTO by_float SELECT n / 3.0, n FROM generate_series(-250, 250) n;
        CREATE TABLE by_char (k char(8), v int PRIMARY KEY);
        INSERT INTO by_char SELECT n::text, n FROM generate_series(1, 500) n;
        """
    )
    tables = ["by_text", "by_uuid", "by_numeric", "by_time", "by_bytes", "by_float", "by_char"]
    pipeline.catch_up()
    pipeline.expect_equal(*tables)
    for table in tables:
        pipeline.execute(f"UPDATE {table} SET v = v + 1000 WHERE v % 3 = 0; DELETE FROM {table} WHERE v % 3 = 1")
    pipeline.catch_up()
    pipeline.expect_equal(*tables)


def test_names_that_need_quotes(pipeline):
    pipeline.execute(
        """
        CREATE SCHEMA "My Schema";
        CREATE TABLE "My Schema"."Order Items" ("Item Id" int PRIMARY KEY, "select" text, "naïve ""quoted"" name" int, "UPPER" int);
        INSERT INTO "My Schema"."Order Items" VALUES (1, 'a', 2, 3), (2, NULL, NULL, NULL);
        """
    )
    pipeline.catch_up()
    pipeline.expect_equal("My Schema.Order Items")
    pipeline.execute("""UPDATE "My Schema"."Order Items" SET "UPPER" = 4, "Item Id" = 3 WHERE "Item Id" = 1""")
    pipeline.catch_up()
    pipeline.expect_equal("My Schema.Order Items")


def test_empty_tables_exist_and_can_be_filled_later(pipeline):
    pipeline.execute("CREATE TABLE empty (id int PRIMARY KEY, v text)")
    pipeline.catch_up()
    pipeline.expect_equal("empty")
    pipeline.execute("INSERT INTO empty VALUES (1, 'no longer')")
    pipeline.catch_up()
    pipeline.expect_equal("empty")


def test_a_table_without_a_key_is_copied(pipeline):
    pipeline.execute("CREATE TABLE log (at timestamp, line text)")
    pipeline.execute("INSERT INTO log SELECT '2024-01-01', 'same' FROM generate_series(1, 100)")
    pipeline.catch_up()
    pipeline.expect_equal("log")
    pipeline.execute("INSERT INTO log VALUES ('2024-01-01', 'same'), (NULL, NULL)")
    pipeline.catch_up()
    pipeline.expect_equal("log")


def test_large_values_and_wide_tables(pipeline):
    columns = ", ".join(f"c{n} int" for n in range(300))
    pipeline.execute(f"CREATE TABLE wide (id int PRIMARY KEY, {columns})")
    pipeline.execute("INSERT INTO wide (id, c0, c299) SELECT n, n, n FROM generate_series(1, 50) n")
    pipeline.execute("CREATE TABLE large (id int PRIMARY KEY, t text, b bytea)")
    pipeline.execute("INSERT INTO large SELECT n, repeat(md5(n::text), 60000), decode(repeat('0fab', 500000), 'hex') FROM generate_series(1, 6) n")
    pipeline.catch_up()
    pipeline.expect_equal("wide", "large")


def test_generated_and_dropped_columns_are_left_out(pipeline):
    pipeline.execute(
        """
        CREATE TABLE t (gone int, id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED, b text);
        ALTER TABLE t DROP COLUMN gone;
        INSERT INTO t (id, a, b) VALUES (1, 2, 'x'), (2, NULL, NULL);
        """
    )
    pipeline.catch_up()
    pipeline.expect_equal("t")
    pipeline.execute("UPDATE t SET a = 5 WHERE id = 2; DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (3, 4)")
    pipeline.catch_up()
    pipeline.expect_equal("t")


def test_a_second_run_copies_nothing_again(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 1000)")
    pipeline.catch_up()
    snapshot = pipeline.lake.table("public", "t").current_snapshot()
    pipeline.catch_up()
    assert pipeline.lake.table("public", "t").current_snapshot().snapshot_id == snapshot.snapshot_id
    pipeline.expect_equal("t")


def test_until_caught_up_holds_all_that_was_committed_before_its_start(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v int)")
    pipeline.catch_up()
    for round_number in range(5):
        pipeline.execute("INSERT INTO t SELECT n, 0 FROM generate_series(%s::int, %s) n", [round_number * 100, round_number * 100 + 99])
        pipeline.execute("UPDATE t SET v = v + 1 WHERE id %% 7 = %s", [round_number])
        pipeline.catch_up()
        pipeline.expect_equal("t", engines=["pyiceberg"])


def test_the_table_list_says_what_is_replicated(pipeline):
    pipeline.execute(
        """
        CREATE SCHEMA other;
        CREATE TABLE kept (id int PRIMARY KEY);
        CREATE TABLE audit_log (id int PRIMARY KEY);
        CREATE TABLE other.t (id int PRIMARY KEY);
        """
    )
    pipeline.configure(source={"url": pipeline.url, "tables": ["public.*", "!public.audit_*"]})
    pipeline.catch_up()
    assert pipeline.lake.tables() == {("public", "kept")}


def test_a_partitioned_table_arrives_as_one(pipeline):
    pipeline.execute(
        """
        CREATE TABLE measures (day date, id int, v text, PRIMARY KEY (day, id)) PARTITION BY RANGE (day);
        CREATE TABLE measures_2023 PARTITION OF measures FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
        CREATE TABLE measures_2024 PARTITION OF measures FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
        INSERT INTO measures SELECT '2023-12-01'::date + n, n, 'v' FROM generate_series(1, 60) n;
        """
    )
    pipeline.catch_up()
    assert pipeline.lake.tables() == {("public", "measures")}
    pipeline.expect_equal("measures")
    pipeline.execute("UPDATE measures SET day = day + 31 WHERE id = 1; DELETE FROM measures WHERE id % 5 = 0")
    pipeline.catch_up()
    pipeline.expect_equal("measures")


def test_changes_made_while_the_copy_runs_are_neither_lost_nor_doubled(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    pipeline.execute("INSERT INTO t SELECT n, repeat('x', 100) FROM generate_series(1, 100000) n")
    pipeline.firn.start()
    for n in range(1, 200):
        pipeline.execute("UPDATE t SET v = 'changed ' || id WHERE id %% 1000 = %s", [n])
        pipeline.execute("INSERT INTO t VALUES (%s, 'new')", [200000 + n])
        pipeline.execute("DELETE FROM t WHERE id = %s", [n * 37])
    pipeline.firn.wait_streaming()
    pipeline.firn.stop()
    pipeline.catch_up()
    pipeline.expect_equal("t")


@pytest.mark.parametrize("as_uri", [False, True], ids=["folder", "uri"])
def test_run_with_no_configuration_file(binary, pipeline, as_uri, tmp_path):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'one'), (2, NULL)")
    warehouse = tmp_path / "direct"
    arguments = ["--source", pipeline.url, "--warehouse", f"file://{warehouse}" if as_uri else warehouse]
    run_firn("run", *arguments, "--tables", "public.t", "--until-caught-up", check=True)
    pipeline.lake = Lake(warehouse, pipeline.java)
    pipeline.expect_equal("t")
    pipeline.execute("UPDATE t SET v = 'two' WHERE id = 2")
    run_firn("run", *arguments, "--tables", "public.t", "--until-caught-up", check=True)
    pipeline.expect_equal("t")


def test_cleanup_drops_slot_and_publication_and_keeps_the_tables(pipeline, admin):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    pipeline.catch_up()
    told = pipeline.firn.command("cleanup", check=True)
    assert f"dropped slot '{pipeline.database}'; dropped publication '{pipeline.database}'" in told.stderr
    assert admin.execute("SELECT slot_name FROM pg_replication_slots WHERE database = %s", [pipeline.database]).fetchall() == []
    assert pipeline.execute("SELECT pubname FROM pg_publication").fetchall() == []
    pipeline.expect_equal("t")
    told = pipeline.firn.command("cleanup", check=True)
    assert f"there is no slot '{pipeline.database}' to drop" in told.stderr
    assert f"there is no publication '{pipeline.database}' to drop" in told.stderr


def test_cleanup_leaves_what_is_in_use_or_not_of_firn(pipeline):
    slot = pipeline.database
    pipeline.execute(f"CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION {slot} FOR TABLE t")
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    wait_until(
        lambda: pipeline.execute("SELECT active FROM pg_replication_slots WHERE slot_name = %s", [slot]).fetchone()[0],
        "firn uses its slot",
    )
    told = pipeline.firn.command("cleanup")
    assert told.returncode == 1
    assert "is active for PID" in told.stderr and "stop firn first" in told.stderr
    pipeline.firn.stop()
    told = pipeline.firn.command("cleanup", check=True)
    assert f"dropped slot '{slot}'" in told.stderr and f"publication '{slot}' stays, which firn did not make" in told.stderr
    pipeline.execute("SELECT pg_create_physical_replication_slot(%s)", [slot])
    told = pipeline.firn.command("cleanup")
    assert told.returncode == 2
    assert "belongs to something else" in told.stderr
    pipeline.execute("SELECT pg_drop_replication_slot(%s)", [slot])
