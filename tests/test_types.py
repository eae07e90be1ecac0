"""Types at their limits, values that Iceberg can't hold, and types that the configuration chooses: the same by the copy
as by the stream. Each type's usual values are in conformance/test_types.py."""

import decimal
import json
import re

import pytest
from harness.waiting import wait_until

RUN_TIME, USAGE = 1, 2

BOTH_WAYS = pytest.mark.parametrize("way", ["copied", "streamed"])


def bring(pipeline, way, tables, rows, **catch_up):
    """Makes `tables`, and has `rows` copied with them or streamed after them."""
    pipeline.execute(tables)
    if way == "streamed":
        pipeline.catch_up()
    pipeline.execute(rows)
    return pipeline.catch_up(**catch_up)


def types_of(pipeline, table):
    schema = pipeline.lake.table("public", table).schema()
    return {field.name: str(field.field_type) for field in schema.fields}


def expect_nothing_made(pipeline):
    assert list(pipeline.firn.warehouse.rglob("*.metadata.json")) == []
    assert pipeline.execute("SELECT FROM pg_publication").fetchall() == []


ARRAYS = """
    CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE EXTENSION hstore;
    CREATE TYPE mood AS ENUM ('sad', 'so so');
    CREATE TYPE pair AS (a int, b text);
    CREATE DOMAIN price AS numeric(8, 2);
    CREATE DOMAIN fair_price AS price CHECK (VALUE >= 0);
    CREATE DOMAIN ints AS int[];
    CREATE TABLE arrays (
        id int PRIMARY KEY, enums mood[], domains fair_price[], of_domain ints, arrays_of_arrays ints[], composites pair[],
        moneys money[], boxes box[], ranges int4range[], multiranges int4multirange[], intervals interval[], inets inet[],
        bits bit(3)[], citexts citext[], ltrees ltree[], hstores hstore[], jsonbs jsonb[], oids oid[], regclasses regclass[],
        lsns pg_lsn[], xids xid8[], chars char(3)[], numerics numeric[], vector int2vector, vectors int2vector[]
    );
"""
ARRAY_ROWS = """
    INSERT INTO arrays VALUES
    (1, '{sad,NULL,"so so"}', '{1.25,NULL}', '{1,2}', ARRAY['{1,2}'::ints, '{3}'::ints], ARRAY[(1, 'a "b", c')::pair, NULL],
     '{12.34,-0.01}', '{(1,1),(0,0);(2,2),(1,1)}', '{"[1,3)",empty}', ARRAY['{[1,3),[5,7)}'::int4multirange],
     '{1 day,NULL}', '{10.0.0.1,::1/64}', '{101,000}', '{Ab,NULL}', '{a.b,c}', ARRAY['a=>"1, 2"'::hstore, NULL],
     ARRAY['{"a": "}{"}'::jsonb, '1'], '{1,4294967295}', '{pg_class,NULL}', '{16/B374D848}', '{123}', '{ab,é}',
     '{1.50,NaN,Infinity}', '1 2 3', ARRAY['1 2'::int2vector, '3']),
    (2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
     '{}', '{}', '', '{}');
    INSERT INTO arrays (id) VALUES (3);
"""


@BOTH_WAYS
def test_arrays_of_every_kind_of_element_are_lists(pipeline, way):
    bring(pipeline, way, ARRAYS, ARRAY_ROWS)
    types = types_of(pipeline, "arrays")
    lists_of_strings = {name for name, kind in types.items() if kind == "list<string>"}
    assert lists_of_strings == set(types) - {"id", "domains", "of_domain", "oids", "vector"}
    assert types["domains"] == "list<decimal(8, 2)>"
    assert types["of_domain"] == "list<int>"
    assert types["oids"] == "list<long>"
    assert types["vector"] == "string"
    pipeline.expect_equal("arrays")


OTHERS = """
    CREATE EXTENSION cube; CREATE EXTENSION isn; CREATE EXTENSION ltree; CREATE EXTENSION citext;
    CREATE TYPE inner_pair AS (a int, b text[]);
    CREATE TYPE outer_pair AS (c inner_pair, d date);
    CREATE TYPE floats AS RANGE (subtype = float8);
    CREATE DOMAIN shout AS citext;
    CREATE DOMAIN loud AS shout CHECK (VALUE <> '');
    CREATE TABLE others (
        id int PRIMARY KEY, a_regclass regclass, a_regtype regtype, a_regproc regproc, a_regrole regrole, an_xid xid,
        an_xid8 xid8, a_cid cid, a_tid tid, a_snapshot pg_snapshot, an_lsn pg_lsn, a_cube cube, an_isbn isbn, an_lquery lquery,
        a_citext citext, a_domain loud, a_composite outer_pair, a_range floats, a_multirange datemultirange,
        a_macaddr8 macaddr8, a_varbit varbit, a_line line, a_path path, a_polygon polygon, a_circle circle,
        a_tsquery tsquery, a_vector oidvector, a_char "char", a_jsonpath jsonpath, an_interval interval, a_timetz timetz(3),
        a_money money, a_bpchar bpchar, an_acl aclitem
    );
"""
OTHER_ROWS = """
    INSERT INTO others VALUES
    (1, 'pg_class', 'int4', 'now', 'pg_monitor', '4294967295', '18446744073709551615', '1', '(1,2)', '10:20:10,14',
     'FFFFFFFF/FFFFFFFF', '(1,2),(3,4)', '978-0-393-04002-9', 'a.*{1,2}', 'MiXed', 'Loud', '("(1,""{x,y}"")",2024-02-29)',
     '[1.5,2.5]', '{[2024-01-01,2024-01-03)}', '08:00:2b:01:02:03:04:05', B'10101', '{1,2,3}', '[(0,0),(1,1)]',
     '((0,0),(1,1),(2,0))', '<(0,0),1.5>', 'a & !b:*', '1 2 3', 'x', '$.a[*] ? (@ > 1)', '-1 year -2 days +03:04:05.000006',
     '24:00:00+15', '-92233720368547758.08', 'ab   ', '=r/postgres');
    INSERT INTO others (id) VALUES (2);
"""


@BOTH_WAYS
def test_types_that_firn_knows_by_their_text_form_are_strings(pipeline, way):
    bring(pipeline, way, OTHERS, OTHER_ROWS)
    assert {kind for name, kind in types_of(pipeline, "others").items() if name != "id"} == {"string"}
    pipeline.expect_equal("others")


EXTREMES = """
    CREATE TABLE extremes (
        id int PRIMARY KEY, d date, ts timestamp, tz timestamptz, t time, n numeric(38, 0), f numeric(38, 38), i8 int8,
        ds date[], tss timestamp[]
    );
"""
EXTREME_ROWS = """
    INSERT INTO extremes VALUES
    (1, '4714-11-24 BC', '4714-11-24 00:00:00 BC', '4714-11-24 00:00:00+00 BC', '00:00', -(10::numeric ^ 38 - 1),
     '-0.00000000000000000000000000000000000001', -9223372036854775808, '{0044-03-15 BC,0001-12-31 BC}',
     '{"0044-03-15 12:00:00.000001 BC"}'),
    (2, '5874897-12-31', '294247-01-10 04:00:54.775806', '294247-01-10 04:00:54.775806+00', '23:59:59.999999',
     10::numeric ^ 38 - 1, '0.99999999999999999999999999999999999999', 9223372036854775807, '{5874897-12-31,NULL}',
     '{"10000-01-01"}'),
    (3, '1969-12-31', '1969-12-31 23:59:59.999999', '1970-01-01 00:00:00+00:00:01', '12:00', 0, 0, 0, '{}', '{}'),
    (4, '12024-02-29', '12024-02-29 13:14:15', '0001-01-01 00:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL);
"""


@BOTH_WAYS
def test_dates_and_numbers_at_their_limits_stay_what_they_are(pipeline, way):
    bring(pipeline, way, EXTREMES, EXTREME_ROWS)
    pipeline.expect_equal("extremes")


# A table with the one column `v` of the type, the value, what clamp makes of it, and what a message shows.
UNREPRESENTABLE = {
    "an infinite date": ("date", "'infinity'", "'5874897-12-31'", "infinity"),
    "the other infinite date": ("date", "'-infinity'", "'4714-11-24 BC'", "-infinity"),
    "an infinite timestamp": ("timestamp", "'infinity'", "'294247-01-10 04:00:54.775807'", "infinity"),
    "the other infinite timestamptz": ("timestamptz", "'-infinity'", "'4714-11-24 00:00:00+00 BC'", "-infinity"),
    "the year 294276": ("timestamp", "'294276-12-31 23:59:59.999999'", "'294247-01-10 04:00:54.775807'", "294276-12-31"),
    "24:00": ("time", "'24:00:00'", "'23:59:59.999999'", "24:00:00"),
    "NaN in a decimal": ("numeric(5, 2)", "'NaN'", "NULL", "NaN"),
    "an infinity in a list": ("date[]", "'{2024-02-29,infinity}'", "'{2024-02-29,5874897-12-31}'", "infinity"),
    "an array of arrays": ("int[]", "'{{1,2},{3,4}}'", "NULL", "{{1,2},{3,4}}"),
    "an array of arrays of a text form": ("inet[]", "'{{10.0.0.1},{::1}}'", "NULL", "{{10.0.0.1},{::1}}"),
    "another lower bound": ("int[]", "'[0:1]={7,8}'", "'{7,8}'", "[0:1]={7,8}"),
}
EACH_UNREPRESENTABLE = pytest.mark.parametrize(
    ("type_name", "value", "clamped", "shown"), UNREPRESENTABLE.values(), ids=UNREPRESENTABLE.keys()
)


def make_unrepresentable(pipeline, way, type_name, value, policy):
    pipeline.configure(
        source={"url": pipeline.url, "tables": ["public.t"]},
        tables={"public.t": {"unrepresentable": policy}},
    )
    tables = f"CREATE TABLE t (id int PRIMARY KEY, v {type_name}); CREATE TABLE expected (LIKE t)"
    return bring(pipeline, way, tables, f"INSERT INTO t VALUES (1, {value}), (2, NULL); UPDATE t SET v = {value} WHERE id = 2")


def expect_rows(pipeline, rows):
    """Every engine reads in t what PostgreSQL has in `expected`."""
    pipeline.execute(f"INSERT INTO expected VALUES {rows}")
    pipeline.expect_equal("t", source="expected")


@BOTH_WAYS
@EACH_UNREPRESENTABLE
def test_a_value_that_iceberg_cannot_hold_is_clamped(pipeline, way, type_name, value, clamped, shown):
    done = make_unrepresentable(pipeline, way, type_name, value, "clamp")
    expect_rows(pipeline, f"(1, {clamped}), (2, {clamped})")
    assert done.stderr.count("a value that Iceberg can't hold was replaced") == 1, done.stderr
    assert shown in done.stderr and "column=v" in done.stderr, done.stderr


@BOTH_WAYS
@EACH_UNREPRESENTABLE
def test_a_value_that_iceberg_cannot_hold_becomes_null(pipeline, way, type_name, value, clamped, shown):
    make_unrepresentable(pipeline, way, type_name, value, "null")
    element_null = "'{2024-02-29,NULL}'" if value == "'{2024-02-29,infinity}'" else "NULL"
    expect_rows(pipeline, f"(1, {element_null}), (2, {element_null})")


@BOTH_WAYS
@EACH_UNREPRESENTABLE
def test_a_column_that_may_have_such_values_becomes_a_string(pipeline, way, type_name, value, clamped, shown):
    make_unrepresentable(pipeline, way, type_name, value, "string")
    assert types_of(pipeline, "t")["v"] == "string"
    pipeline.expect_equal("t")


@BOTH_WAYS
@EACH_UNREPRESENTABLE
def test_a_value_that_iceberg_cannot_hold_stops_the_table(pipeline, way, type_name, value, clamped, shown):
    pipeline.execute(f"CREATE TABLE t (id int PRIMARY KEY, v {type_name})")
    if way == "streamed":
        pipeline.catch_up()
    pipeline.execute(f"INSERT INTO t VALUES (1, {value})")
    done = pipeline.firn.command("run", "--until-caught-up")
    assert done.returncode == RUN_TIME, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    for word in ("public.t, column v", shown, "columns: {v: string}", "unrepresentable"):
        assert word in last, done.stderr


def test_numbers_that_do_not_fit_their_chosen_decimal(pipeline):
    pipeline.configure(
        source={"url": pipeline.url, "tables": ["public.t"]},
        tables={
            "public.t": {
                "columns": {"clamped": "decimal(5,2)", "nulled": "decimal(5,2)", "kept": "decimal(38,9)"},
                "unrepresentable_columns": {"clamped": "clamp", "nulled": "null"},
            }
        },
    )
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, clamped numeric, nulled numeric, kept numeric)")
    pipeline.execute("CREATE TABLE expected (LIKE t)")
    numbers = ["1.005", "-1.005", "1000", "-12345.678", "'Infinity'", "'-Infinity'", "'NaN'", "999.994", "999.995", "1e-9"]
    clamped = ["1.01", "-1.01", "999.99", "-999.99", "999.99", "-999.99", "NULL", "999.99", "999.99", "0"]
    rows = [f"({n}, {number}, {number}, {n}.000000001)" for n, number in enumerate(numbers)]
    expected = [f"({n}, {number}, NULL, {n}.000000001)" for n, number in enumerate(clamped)]
    pipeline.execute(f"INSERT INTO t VALUES {', '.join(rows)}")
    pipeline.catch_up()
    pipeline.execute(f"UPDATE t SET id = id + 100; INSERT INTO t VALUES {', '.join(rows)}")
    pipeline.catch_up()
    pipeline.execute(f"INSERT INTO expected VALUES {', '.join(expected)}")
    pipeline.execute("INSERT INTO expected SELECT id + 100, clamped, nulled, kept FROM expected")
    pipeline.expect_equal("t", source="expected")


def test_replaced_values_are_counted_and_logged_once_a_column(pipeline):
    pipeline.configure(destination={"unrepresentable": "null"}, tables={"public.t": {"unrepresentable_columns": {"b": "clamp"}}})
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, a date, b date); INSERT INTO t VALUES (1, 'infinity', NULL)")
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    for n in range(2, 5):
        pipeline.execute(f"INSERT INTO t VALUES ({n}, 'infinity', '-infinity')")

    def counted():
        metrics = pipeline.firn.get("/metrics") or ""
        pattern = r'^firn_unrepresentable_values_total\{column="(\w)",policy="(\w+)",table="public.t"\} (\d+)'
        return {match[:2]: int(match[2]) for match in re.findall(pattern, metrics, re.MULTILINE)} == {
            ("a", "null"): 4,
            ("b", "clamp"): 3,
        }

    wait_until(counted, "every value is counted")
    pipeline.firn.stop()
    assert pipeline.firn.log_text().count("a value that Iceberg can't hold was replaced") == 2


def test_deletes_and_updates_find_rows_whose_values_were_replaced(pipeline):
    pipeline.configure(source={"url": pipeline.url, "tables": ["public.t"]}, destination={"unrepresentable": "clamp"})
    pipeline.execute(
        """
        CREATE TABLE t (d date, n int); ALTER TABLE t REPLICA IDENTITY FULL; CREATE TABLE expected (LIKE t);
        INSERT INTO t VALUES ('infinity', 1), ('5874897-12-31', 1), ('infinity', 2);
        """
    )
    pipeline.catch_up()
    pipeline.execute("DELETE FROM t WHERE d = 'infinity' AND n = 1; UPDATE t SET n = 3 WHERE d = 'infinity'")
    pipeline.catch_up()
    pipeline.execute("INSERT INTO expected VALUES ('5874897-12-31', 1), ('5874897-12-31', 3)")
    pipeline.expect_equal("t", source="expected")


@BOTH_WAYS
def test_a_key_column_is_an_error_or_a_string(pipeline, way):
    tables = "CREATE TABLE t (k timestamptz PRIMARY KEY, v date)"
    pipeline.execute(tables)
    pipeline.configure(tables={"public.t": {"unrepresentable_columns": {"k": "clamp"}}})
    for command in (["check"], ["run", "--until-caught-up"]):
        done = pipeline.firn.command(*command)
        assert done.returncode in (RUN_TIME, USAGE)
        told = done.stdout + done.stderr
        assert "column k" in told and "rows whose keys differ" in told, told
    expect_nothing_made(pipeline)
    pipeline.execute("DROP TABLE t")
    pipeline.configure(tables={"public.t": {"unrepresentable": "null", "unrepresentable_columns": {"k": "string"}}})
    bring(pipeline, way, tables, "INSERT INTO t VALUES ('infinity', NULL), ('-infinity', NULL), ('2024-02-29 12:00+01', '2024-01-01')")
    pipeline.execute("DELETE FROM t WHERE k = 'infinity'")
    pipeline.catch_up()
    pipeline.expect_equal("t")


STORED_AS = """
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TABLE chosen (
        id int2 PRIMARY KEY, a_bool bool, an_int2 int2, an_int4 int4, an_int8 int8, an_oid oid, a_float4 float4, a_float8 float8,
        a_numeric numeric(9, 4), a_free_numeric numeric, a_text text, a_char "char", a_bytea bytea, a_uuid uuid, a_date date,
        a_time time, a_timestamp timestamp, a_timestamptz timestamptz, a_json json, a_jsonb jsonb, a_mood mood,
        an_interval interval, some_ints int[], some_texts text[], some_floats float8[], some_inets inet[], some_moods mood[],
        longs int[], decimals numeric[], doubles float4[], texts date[]
    );
"""
STORED_ROWS = """
    INSERT INTO chosen VALUES
    (1, true, -1, 42, -9223372036854775808, 4294967295, 1e6, 1.5e-5, 12345.6789, 1.10, 'x', 'y', '\\x00ff5c', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
     'infinity', '24:00', '294276-12-31 23:59:59.5', '0044-03-15 12:00+00 BC', '{"a":  1}', '{"a": 1}', 'ok', '1 day',
     '[0:1][0:1]={{1,2},{3,NULL}}', '{"a b",NULL,"NULL","",","}', '{1e15,NaN,-0}', '{{::1}}', '{sad}', '{1,NULL}', '{1.5}', '{1.5}', '{infinity}'),
    (2, false, 0, 0, 0, 0, 'NaN', '-Infinity', 'NaN', 'Infinity', '', '', '', '00000000-0000-0000-0000-000000000000',
     '-infinity', '00:00:00.1', 'infinity', '-infinity', 'null', 'null', 'sad', '0', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}');
    INSERT INTO chosen (id) VALUES (3);
"""


@BOTH_WAYS
def test_columns_are_stored_as_the_configuration_says(pipeline, way):
    as_string = re.findall(r"(\w+) [\w\"]+(?:\([^)]*\))?(?:\[\])?,", STORED_AS.split("(", 2)[2])
    as_string = [name for name in as_string if name.startswith(("a_", "an_", "some_"))]
    lists = {"longs": "list<long>", "decimals": "list<decimal(38,9)>", "doubles": "list<double>", "texts": "list<string>"}
    pipeline.configure(tables={"public.chosen": {"columns": {"id": "long"} | dict.fromkeys(as_string, "string") | lists}})
    bring(pipeline, way, STORED_AS, STORED_ROWS)
    types = types_of(pipeline, "chosen")
    assert {types[name] for name in as_string} == {"string"} and len(as_string) == 26
    assert [types[name] for name in ("id", *lists)] == ["long", "list<long>", "list<decimal(38, 9)>", "list<double>", "list<string>"]
    pipeline.expect_equal("chosen")


WRONG_SETTINGS = {
    "a type that is none": ({"columns": {"v": "varchar"}}, "varchar"),
    "a type that the column can't be": ({"columns": {"v": "uuid"}}, "can't be stored as uuid"),
    "a column that isn't there": ({"columns": {"w": "string"}}, "no such column"),
    "a policy for a column that isn't there": ({"unrepresentable_columns": {"w": "null"}}, "no such column"),
    "a policy that is none": ({"unrepresentable_columns": {"v": "drop"}}, "'drop' is not a policy"),
    "a policy that the column's type makes useless": (
        {"columns": {"v": "date"}, "unrepresentable_columns": {"v": "string"}},
        "remove one of them",
    ),
    "variant in format version 2": ({"columns": {"j": "variant"}}, "format_version: 3"),
}


@pytest.mark.parametrize(("table", "word"), WRONG_SETTINGS.values(), ids=WRONG_SETTINGS.keys())
def test_settings_that_cannot_be_are_told_before_anything_is_made(pipeline, table, word):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v date, j jsonb)")
    pipeline.configure(tables={"public.t": table})
    for command in (["check"], ["run", "--until-caught-up"]):
        done = pipeline.firn.command(*command)
        assert done.returncode in (RUN_TIME, USAGE), done.stderr
        told = done.stdout + done.stderr
        assert word in told and "public.t" in told, told
    expect_nothing_made(pipeline)


def test_a_policy_that_makes_strings_leaves_tables_as_they_were_made(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, d date); INSERT INTO t VALUES (1, '2024-01-01')")
    pipeline.catch_up()
    pipeline.configure(destination={"unrepresentable": "string"})
    pipeline.execute("CREATE TABLE u (id int PRIMARY KEY, d date); INSERT INTO t VALUES (2, '2024-01-02'); INSERT INTO u VALUES (1, 'infinity')")
    pipeline.catch_up()
    assert (types_of(pipeline, "t")["d"], types_of(pipeline, "u")["d"]) == ("date", "string")
    pipeline.expect_equal("t", "u")

DOCUMENTS = [
    "null",
    "true",
    '"text"',
    '""',
    "[]",
    "{}",
    "0",
    "-128",
    "9223372036854775807",
    "9223372036854775808",
    "-99999999999999999999999999999999999999",
    "1.50",
    "0.00000000000000000000000000000000000001",
    "1e300",
    '[1, [2, {"a": [null]}], "x"]',
    '{"b": {"a": 1, "": 2}, "a": [true, false], "é": "ü😀"}',
    '{"long": "' + "x" * 300 + '"}',
    "[" + ", ".join(map(str, range(300))) + "]",
    "{" + ", ".join(f'"name {n}": {n}' for n in range(300)) + "}",
]


@BOTH_WAYS
def test_json_becomes_variant_where_asked(pipeline, way):
    pipeline.configure(
        destination={"format_version": 3, "deletes": "vector"},
        tables={"public.t": {"columns": {"j": "variant", "b": "variant"}}},
    )
    inserts = "; ".join(
        f"INSERT INTO t VALUES ({n}, $json${text}$json$, $json${text}$json$)" for n, text in enumerate(DOCUMENTS)
    )
    bring(pipeline, way, "CREATE TABLE t (id int PRIMARY KEY, j json, b jsonb)", f"{inserts}; INSERT INTO t VALUES (-1)")
    if way == "streamed":
        # The documents that are too large for the row are not sent again.
        pipeline.execute("UPDATE t SET id = id + 1000 WHERE id > 15")
        pipeline.catch_up()
    expected = {
        row[0]: row[1:]
        for row in pipeline.execute("SELECT id, j::text, b::text FROM t").fetchall()
    }
    rows = pipeline.java.rows(pipeline.lake.metadata_location("public", "t"))
    assert {row["id"] for row in rows} == set(expected)
    for row in rows:
        for name, text in zip(("j", "b"), expected[row["id"]], strict=True):
            value = None if text is None else json.loads(text, parse_float=decimal.Decimal)
            assert row[name] == value, (row["id"], name)


def test_a_number_that_no_variant_holds(pipeline):
    def configure(policy):
        pipeline.configure(
            destination={"format_version": 3, "deletes": "vector", "unrepresentable": policy},
            tables={"public.t": {"columns": {"b": "variant"}}},
        )

    configure("error")
    pipeline.execute("""CREATE TABLE t (id int PRIMARY KEY, b jsonb); INSERT INTO t VALUES (1, '{"a": [1e400, 1]}')""")
    done = pipeline.firn.command("run", "--until-caught-up")
    assert done.returncode == RUN_TIME
    assert "public.t, column b" in done.stderr and "can't hold exactly" in done.stderr, done.stderr
    configure("clamp")
    pipeline.catch_up()
    pipeline.execute("""INSERT INTO t VALUES (2, '-1e-400')""")
    pipeline.catch_up()
    rows = {row["id"]: row["b"] for row in pipeline.java.rows(pipeline.lake.metadata_location("public", "t"))}
    assert rows == {1: {"a": [decimal.Decimal("1.7976931348623157E+308"), 1]}, 2: 0}


@BOTH_WAYS
def test_postgis(pipeline, way):
    """Types of an extension come in their text form: PostGIS prints well-known bytes, in hexadecimal digits."""
    bring(
        pipeline,
        way,
        "CREATE EXTENSION postgis; CREATE TABLE places (id int PRIMARY KEY, point geometry(Point, 4326), shape geometry,"
        " spot geography, area box2d)",
        """
        INSERT INTO places VALUES
          (1, 'SRID=4326;POINT(8.5 47.4)', 'POLYGON((0 0, 1 0, 1 1, 0 0))', 'POINT(8.5 47.4)', 'BOX(0 0,1 1)'),
          (2, 'SRID=4326;POINT EMPTY', 'GEOMETRYCOLLECTION(POINT Z (1 2 3), LINESTRING Z (0 0 0, 1 1 1))', 'LINESTRING(0 0, 1 1)', NULL),
          (3, NULL, NULL, NULL, NULL);
        UPDATE places SET point = ST_Translate(point, 1, 1) WHERE id = 1;
        """,
    )
    pipeline.expect_equal("places")
    assert types_of(pipeline, "places")["shape"] == "string"
    row = next(row for row in pipeline.rows("places") if row["id"] == 1)
    assert pipeline.execute("SELECT ST_AsText(%s::geometry)", [row["point"]]).fetchone() == ("POINT(9.5 48.4)",)
