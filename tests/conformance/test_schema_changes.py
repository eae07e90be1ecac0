"""Every change of a table's definition, with rows around it, as every engine reads the table afterwards."""

import pytest
from harness.engines import ENGINES, features_of
from test_schema_changes import CHANGES, ROWS_AFTER, ROWS_BEFORE, run_changes


@pytest.fixture(scope="module", params=[2], ids=["v2"])
def evolved(request, make_pipeline):
    """A pipeline with a table `t` for each change, in a schema of its own; and its format version."""
    pipeline = make_pipeline(f"evolved_v{request.param}")
    pipeline.configure(destination={"format_version": request.param})
    schemas = [f"change{n}" for n in range(len(CHANGES))]
    for schema in schemas:
        pipeline.execute(f"CREATE SCHEMA {schema}; SET search_path = {schema}")
        pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, name text, amount numeric(10, 2), old int)")
        pipeline.execute("INSERT INTO t SELECT n, 'name ' || n, n * 1.5, n FROM generate_series(1, 100) n")
    pipeline.catch_up()
    for schema, change in zip(schemas, CHANGES.values(), strict=True):
        pipeline.execute(f"SET search_path = {schema}")
        pipeline.execute(ROWS_BEFORE)
        run_changes(pipeline, change)
        pipeline.execute(ROWS_AFTER)
    pipeline.catch_up()
    yield pipeline, dict(zip(CHANGES, schemas, strict=True))
    pipeline.close()


def features(table):
    """What of a table not every engine reads."""
    found = set()
    for field in table.schema().fields:
        found |= features_of(field.field_type)
        if field.initial_default is not None:
            found.add("initial defaults")
    return found


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_read(evolved, change, engine, within_limits):
    pipeline, schemas = evolved
    within_limits(engine, features(pipeline.lake.table(schemas[change], "t")))
    pipeline.expect_equal(f"{schemas[change]}.t", engines=[engine])
