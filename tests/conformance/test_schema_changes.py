"""Every change of a table's definition, with rows around it, as every engine reads the table afterwards."""

import pytest
from harness.engines import ENGINES, features_of
from harness.random_definition import TYPES
from test_schema_changes import CHANGES, ROWS_AFTER, ROWS_BEFORE, run_changes

# In format version 3, old rows have the defaults of columns that were added: of each type, and with changes around them.
DEFAULTS = {
    f"a default of {kind}": f"ALTER TABLE t ADD added {kind} DEFAULT {literals[-1]}; UPDATE t SET added = NULL WHERE id = 50"
    for kind, literals in TYPES.items()
} | {
    "defaults and other names": "ALTER TABLE t ADD a int DEFAULT 7; ALTER TABLE t ADD b text DEFAULT 'b' --- ALTER TABLE t RENAME "
    "a TO c; ALTER TABLE t RENAME b TO a; UPDATE t SET a = 'changed' WHERE id % 5 = 0",
    "a default that becomes another": "ALTER TABLE t ADD a int DEFAULT 7; ALTER TABLE t ALTER a SET DEFAULT 8; "
    "INSERT INTO t (id) VALUES (500)",
    "a default that is widened": "ALTER TABLE t ADD a numeric(8, 2) DEFAULT 1.5 --- ALTER TABLE t ALTER a TYPE numeric(12, 2)",
}
VERSIONS = {2: CHANGES, 3: DEFAULTS}
CASES = [(version, change) for version, changes in VERSIONS.items() for change in changes]


@pytest.fixture(scope="module")
def evolved(make_pipeline):
    """By format version: a pipeline with a table `t` for each change, in a schema of its own."""
    pipelines = {}
    for version, changes in VERSIONS.items():
        pipelines[version] = pipeline = make_pipeline(f"evolved_v{version}")
        pipeline.configure(destination={"format_version": version})
        schemas = {change: f"change{n}" for n, change in enumerate(changes)}
        for schema in schemas.values():
            pipeline.execute(f"CREATE SCHEMA {schema}; SET search_path = {schema}")
            pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, name text, amount numeric(10, 2), old int)")
            pipeline.execute("INSERT INTO t SELECT n, 'name ' || n, n * 1.5, n FROM generate_series(1, 100) n")
        pipeline.catch_up()
        for change, schema in schemas.items():
            pipeline.execute(f"SET search_path = {schema}")
            pipeline.execute(ROWS_BEFORE)
            run_changes(pipeline, changes[change])
            pipeline.execute(ROWS_AFTER)
        pipeline.catch_up()
        pipeline.schemas = schemas
    yield pipelines
    for pipeline in pipelines.values():
        pipeline.close()


def features(table):
    """What of a table not every engine reads."""
    found = set()
    for field in table.schema().fields:
        found |= features_of(field.field_type)
        if field.initial_default is not None:
            found |= {f"initial default of {kind}" for kind in features_of(field.field_type)}
    return found


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("version, change", CASES)
def test_a_change_is_read(evolved, version, change, engine, within_limits):
    pipeline = evolved[version]
    name = (pipeline.schemas[change], "t")
    within_limits(engine, features(pipeline.lake.table(*name)))
    pipeline.expect_equal(".".join(name), engines=[engine])


def test_old_rows_have_the_default_by_the_schema(evolved):
    """So that the tests above read an initial default, where the type has one in JSON."""
    with_default = {
        change
        for change, schema in evolved[3].schemas.items()
        if any(field.initial_default is not None for field in evolved[3].lake.table(schema, "t").schema().fields)
    }
    assert set(DEFAULTS) - with_default == {"a default of int[]"}
