"""What each change mode makes of the same changes, in both format versions, as every engine reads it."""

import pytest
from harness.engines import ENGINES, features_of
from test_cdc_modes import (
    AROUND_A_TRUNCATE,
    FIRST_ROWS,
    STATEMENTS,
    Watched,
    changes_as_rows,
    history,
    mirror_with_facts,
    run_statements,
    soft_deleted,
)

# A mode's settings, and the model of the rows that it makes.
MODES = {
    "tracked mirror": ({"track_changes": True}, mirror_with_facts),
    "soft deletes": ({"enable_deletes": False, "track_changes": True}, soft_deleted),
    "append": ({"mode": "append"}, changes_as_rows),
    "history": ({"mode": "history", "track_changes": True}, history),
}


@pytest.fixture(scope="module", params=[(mode, version) for mode in MODES for version in (2, 3)], ids=lambda p: f"{p[0]}-v{p[1]}")
def changed(request, make_pipeline):
    """A watched pipeline after all changes, and the rows that its table must have."""
    mode, version = request.param
    settings, model = MODES[mode]
    pipeline = make_pipeline(f"cdc_{mode}_v{version}")
    watched = Watched(pipeline, **settings)
    watched.settings["destination"] = {"format_version": version}
    watched.configure()
    watched.create("id int PRIMARY KEY, v text, n int", FIRST_ROWS)
    run_statements(watched, STATEMENTS + AROUND_A_TRUNCATE, seed=1)
    yield watched, model(watched.copied, watched.copied_at(), watched.log()), version
    pipeline.close()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_mode_is_read(changed, engine, within_limits):
    watched, expected, version = changed
    schema = watched.pipeline.lake.table("public", "t").schema()
    features = {"deletion vectors"} if version == 3 else set()
    within_limits(engine, features.union(*(features_of(field.field_type) for field in schema.fields)))
    watched.expect(expected, engines=[engine])
