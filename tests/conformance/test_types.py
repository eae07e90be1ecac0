"""Each PostgreSQL type, copied and streamed, as every engine reads it."""

import decimal
import json

import pytest
from harness.engines import ENGINES, features_of
from test_types import DOCUMENTS

SETUP = """
    CREATE EXTENSION hstore; CREATE EXTENSION ltree; CREATE EXTENSION citext;
    CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
    CREATE TYPE point3 AS (x int, y text, z float8);
    CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
    CREATE DOMAIN cents AS numeric(12, 2);
"""
# The values of each type, beside NULL.
TYPES = {
    "bool": ["true", "false"],
    "int2": ["7", "-32768", "32767"],
    "int4": ["0", "-2147483648", "2147483647"],
    "int8": ["0", "-9223372036854775808", "9223372036854775807"],
    "oid": ["0", "4294967295"],
    "float4": ["1.5", "'-Infinity'", "'NaN'", "3.4028235e38", "1e-45", "'-0'"],
    "float8": ["0.1", "'Infinity'", "'NaN'", "1.7976931348623157e308", "5e-324", "'-0'"],
    "numeric(9, 2)": ["1234567.89", "-0.01", "-9999999.99"],
    "numeric(18, 6)": ["123456789012.345678", "-999999999999.999999", "0"],
    "numeric(38, 10)": ["1234567890123456789012345678.0123456789", "-9999999999999999999999999999.9999999999", "0"],
    "numeric": ["1e50", "0.10", "-0.00000000000000000001", "'NaN'"],
    "numeric(50, 2)": ["123456789012345678901234567890123456789012345678.90", "0"],
    "money": ["'12.34'", "'-92233720368547758.08'"],
    "text": ["''", "'plain'", "'ünïcödé 漢字 🐘' || chr(1) || E'\\n\\t\\\\'", "repeat('long', 5000)"],
    "varchar(20)": ["''", "repeat('é', 20)"],
    "char(5)": ["''", "'ab'", "'ééééé'"],
    "name": ["repeat('n', 63)"],
    '"char"': ["'x'", "''"],
    "citext": ["'MiXed'"],
    "bytea": ["''", "'\\x00ff10'", "decode(repeat('ab', 3000), 'hex')"],
    "uuid": ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"],
    "date": ["'2024-02-29'", "'0001-01-01'", "'9999-12-31'", "'1969-12-31'"],
    "time": ["'13:14:15.123456'", "'00:00'", "'23:59:59.999999'"],
    "timetz": ["'13:14:15.123456+02'", "'23:59:59.999999-12'"],
    "timestamp": ["'2024-02-29 13:14:15.123456'", "'0001-01-01'", "'9999-12-31 23:59:59.999999'", "'1969-12-31 23:59:59.999999'"],
    "timestamptz": ["'2024-02-29 13:14:15.123456+02'", "'0001-01-02 00:00+00'", "'9999-12-31 23:59:59.999999+00'", "'1969-12-31 23:59:59.999999+00'"],
    "interval": ["'1 year 2 days 03:04:05.000006'", "'-1 month'", "'0'"],
    "json": ["""'{"a": 1,  "a": 2}'""", "'null'", "'[1, 2.50, \"x\"]'"],
    "jsonb": ["""'{"b": [1, null, true], "a": {"c": "x"}}'""", "'null'", "'1.50'", "'\"é\"'"],
    "bool[]": ["'{t,f,NULL}'", "'{}'"],
    "int4[]": ["'{1,NULL,3}'", "'{}'"],
    "int8[]": ["'{9223372036854775807}'"],
    "float8[]": ["'{1.5,NaN,Infinity,-Infinity}'"],
    "numeric(8, 2)[]": ["'{1.25,-0.50,NULL}'"],
    "text[]": ["""'{"a","NULL",NULL,"with \\"quotes\\" and, commas",""}'""", "'{}'"],
    "bytea[]": ["""ARRAY['\\x00ff'::bytea, NULL, '']"""],
    "uuid[]": ["'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,NULL}'"],
    "date[]": ["'{1970-01-01,NULL,9999-12-31}'"],
    "time[]": ["'{12:00:00.5,NULL}'"],
    "timestamp[]": ["'{2024-02-29 13:14:15.123456}'"],
    "timestamptz[]": ["""'{"2024-02-29 13:14:15.123456+02",NULL}'"""],
    "mood[]": ["'{sad,NULL,happy}'"],
    "mood": ["'happy'", "'sad'"],
    "email": ["'a@b'", "'@'"],
    "cents": ["1.25", "-9999999999.99"],
    "point3": ["'(1,two,3.5)'", "'(,,)'", "'(1,,NaN)'"],
    "int4range": ["'[1,10)'", "'empty'", "'(,)'"],
    "int4multirange": ["'{[1,3),[5,8)}'", "'{}'"],
    "tstzrange": ["'[2024-01-01 00:00+00,2024-01-02 00:00+00)'"],
    "hstore": ["'a=>1, b=>NULL'", "''"],
    "inet": ["'192.168.0.1/24'", "'::1'"],
    "cidr": ["'10.0.0.0/8'", "'::/0'"],
    "macaddr": ["'08:00:2b:01:02:03'"],
    "macaddr8": ["'08:00:2b:01:02:03:04:05'"],
    "bit(4)": ["B'1010'", "B'0000'"],
    "varbit": ["B'10101'", "B''"],
    "xml": ["'<a>b</a>'", "'<é/>'"],
    "tsvector": ["'a fat cat'", "''"],
    "tsquery": ["'fat & rat'"],
    "pg_lsn": ["'16/B374D848'", "'0/0'"],
    "point": ["'(1,2)'", "'(-1.5,1e10)'"],
    "box": ["'(1,2),(3,4)'"],
    "ltree": ["'Top.Science.Astronomy'"],
    "jsonpath": ["'$.a[*]'"],
}


def table_of(type_name):
    return "t_" + "".join(letter if letter.isalnum() else "_" for letter in type_name)


def rows_of(type_name, first_id):
    return ", ".join(f"({first_id + n}, {value})" for n, value in enumerate([*TYPES[type_name], "NULL"]))


@pytest.fixture(scope="module", params=[2, 3], ids=["v2", "v3"])
def types(request, make_pipeline):
    pipeline = make_pipeline(f"types_v{request.param}")
    pipeline.configure(
        destination={"format_version": request.param},
        tables={f"public.{table}": {"columns": {"v": "string"}} for table in ("time_as_text", "times_as_text")},
    )
    pipeline.execute(SETUP)
    pipeline.execute(
        "CREATE TABLE time_as_text (id int PRIMARY KEY, v time); CREATE TABLE times_as_text (id int PRIMARY KEY, v time[]);"
        "INSERT INTO time_as_text VALUES (1, '12:34:56.789'), (2, NULL); INSERT INTO times_as_text VALUES (1, '{12:34:56.789,NULL}')"
    )
    for type_name in TYPES:
        table = table_of(type_name)
        pipeline.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, v {type_name})")
        pipeline.execute(f"INSERT INTO {table} VALUES {rows_of(type_name, 0)}, (99, NULL)")
    pipeline.catch_up()
    for type_name, values in TYPES.items():
        table = table_of(type_name)
        pipeline.execute(f"INSERT INTO {table} VALUES {rows_of(type_name, 100)}")
        pipeline.execute(f"UPDATE {table} SET v = {values[0]} WHERE id = 99; DELETE FROM {table} WHERE id = 100")
    pipeline.catch_up()
    yield pipeline
    pipeline.close()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("type_name", TYPES)
def test_a_type_is_read_as_postgresql_has_it(types, type_name, engine, within_limits):
    iceberg_type = types.lake.table("public", table_of(type_name)).schema().find_field("v").field_type
    within_limits(engine, features_of(iceberg_type))
    types.expect_equal(table_of(type_name), engines=[engine])


@pytest.mark.parametrize("engine", ENGINES)
def test_times_can_be_stored_for_every_engine(types, engine):
    types.expect_equal("time_as_text", "times_as_text", engines=[engine])


@pytest.fixture(scope="module")
def variants(make_pipeline):
    """Documents of every kind, copied and streamed, with what PostgreSQL has of them."""
    pipeline = make_pipeline("variants")
    pipeline.configure(destination={"format_version": 3}, tables={"public.t": {"columns": {"j": "variant"}}})
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, j jsonb)")
    for first in (0, 1000):
        for n, text in enumerate(DOCUMENTS):
            pipeline.execute("INSERT INTO t VALUES (%s, %s)", [first + n, text])
        pipeline.execute(f"INSERT INTO t VALUES ({first} - 1)")
        pipeline.catch_up()
    pipeline.execute("UPDATE t SET id = id + 5000 WHERE id > 1010; DELETE FROM t WHERE id BETWEEN 1 AND 3")
    pipeline.catch_up()
    yield pipeline, dict(pipeline.execute("SELECT id, j::text FROM t").fetchall())
    pipeline.close()


def test_spark_reads_variants(variants, spark):
    pipeline, expected = variants
    rows = spark.session(pipeline.lake.warehouse).sql("SELECT id, to_json(j) AS j FROM firn.public.t").collect()
    assert {row.id for row in rows} == set(expected)
    for row in rows:
        value, text = (each and json.loads(each, parse_float=decimal.Decimal) for each in (row.j, expected[row.id]))
        assert value == text, row.id


def test_spark_reads_into_variants(variants, spark):
    pipeline, _ = variants
    pipeline.execute("""INSERT INTO t VALUES (9001, '{"a": {"b": [1, "x"]}}'), (9002, '{"a": {"b": [true]}}')""")
    pipeline.catch_up()
    query = "SELECT id, variant_get(j, '$.a.b[0]', 'string') AS b FROM firn.public.t WHERE id > 9000 ORDER BY id"
    rows = spark.session(pipeline.lake.warehouse).sql(query).collect()
    assert [(row.id, row.b) for row in rows] == [(9001, "1"), (9002, "true")]
