"""Every kind of change by every form of deletes, as every engine reads it."""

import pytest
from harness.engines import ENGINES
from test_changes import STATEMENTS

# A form's settings, and what its tables have that not every engine reads.
FORMS = {
    "position-v2": ({"format_version": 2, "deletes": "position"}, set()),
    "vector-v3": ({"format_version": 3, "deletes": "vector"}, {"deletion vectors"}),
}
# Other tables than the one of STATEMENTS, with what changes their rows.
TABLES = {
    "no key": (
        "CREATE TABLE t (a int, b text, c float8); ALTER TABLE t REPLICA IDENTITY FULL",
        "INSERT INTO t SELECT n % 5, nullif('b' || n % 3, 'b0'), nullif(n % 4, 0) / 3.0 FROM generate_series(1, 60) n",
        [
            "DELETE FROM t WHERE ctid IN (SELECT ctid FROM t WHERE a = 1 LIMIT 3)",
            "UPDATE t SET b = NULL WHERE a = 2; DELETE FROM t WHERE b IS NULL AND c IS NULL",
            "INSERT INTO t VALUES (1, NULL, NULL), (1, NULL, NULL); DELETE FROM t WHERE ctid IN (SELECT ctid FROM t WHERE a = 1 AND b IS NULL LIMIT 1)",
        ],
    ),
    "a key of many types": (
        "CREATE TABLE t (u uuid, d date, s text, b bytea, n numeric(12, 2), w timestamptz, v int, PRIMARY KEY (u, d, s, b, n, w))",
        "INSERT INTO t SELECT md5(n::text)::uuid, '1969-12-25'::date + n, 'ü' || n % 7, decode(lpad(to_hex(n), 4, 'f'), 'hex'), n - 20.5,"
        " '1970-01-01 00:00+00'::timestamptz + (n - 20) * interval '1 hour 1 microsecond', n FROM generate_series(1, 60) n",
        [
            "DELETE FROM t WHERE v % 3 = 0",
            "UPDATE t SET d = d + 1 WHERE v % 4 = 0; UPDATE t SET v = -v WHERE v % 5 = 0",
            "INSERT INTO t SELECT md5(n::text)::uuid, '1969-12-25'::date + n, 'ü' || n % 7, decode(lpad(to_hex(n), 4, 'f'), 'hex'), n - 20.5,"
            " '1970-01-01 00:00+00'::timestamptz + (n - 20) * interval '1 hour 1 microsecond', 100 FROM generate_series(1, 60) n ON CONFLICT DO NOTHING",
        ],
    ),
    "many deletes of one file": (
        "CREATE TABLE t (id int PRIMARY KEY, v text)",
        "INSERT INTO t SELECT n, 'v' FROM generate_series(1, 3000) n",
        [f"DELETE FROM t WHERE id % 7 = {n}; UPDATE t SET v = v || '{n}' WHERE id % 11 = {n}" for n in range(5)],
    ),
}


def use_schema(pipeline, name):
    """Statements name their table `t`: each has its own, in a schema of its own."""
    pipeline.execute(f"CREATE SCHEMA IF NOT EXISTS {name}")
    pipeline.execute(f"SET search_path = {name}, public")


@pytest.fixture(scope="module", params=FORMS)
def changed(request, make_pipeline):
    """A pipeline whose tables have been through all of it, with their names and the features of their form."""
    settings, features = FORMS[request.param]
    pipeline = make_pipeline(f"deletes_{request.param}")
    pipeline.configure(destination=settings)
    shops = [f"shop{n}" for n in range(len(STATEMENTS))]
    others = [f"other{n}" for n in range(len(TABLES))]
    for schema in shops:
        use_schema(pipeline, schema)
        pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, name text, amount numeric(10, 2))")
        pipeline.execute("INSERT INTO t SELECT n, 'name ' || n, n * 1.5 FROM generate_series(1, 100) n")
    for schema, (create, fill, _) in zip(others, TABLES.values(), strict=True):
        use_schema(pipeline, schema)
        pipeline.execute(create)
        pipeline.execute(fill)
    pipeline.catch_up()
    for schema, statements in zip(shops, STATEMENTS.values(), strict=True):
        use_schema(pipeline, schema)
        pipeline.execute(statements)
    for n in range(max(len(changes) for _, _, changes in TABLES.values())):
        for schema, (_, _, changes) in zip(others, TABLES.values(), strict=True):
            if n < len(changes):
                use_schema(pipeline, schema)
                pipeline.execute(changes[n])
        pipeline.catch_up()
    yield pipeline, [f"{schema}.t" for schema in shops + others], features
    pipeline.close()


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_left_is_read(changed, engine, within_limits):
    pipeline, tables, features = changed
    within_limits(engine, features)
    pipeline.expect_equal(*tables, engines=[engine])
