"""firn with the rights that docs/privileges.md lists and no others; what is missing is named with its GRANT."""

import json
import pathlib
import re

import pytest
from harness.lake import REPOSITORY

DONE, FAILED = 0, 1
ROLE = "firn_plain"


@pytest.fixture
def role(admin, pipeline):
    """A role without any right, gone with the test."""
    admin.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD 'only-what-is-listed'")
    admin.execute(f"REVOKE CONNECT ON DATABASE {pipeline.database} FROM PUBLIC")
    yield ROLE
    pipeline.firn.kill()
    pipeline.execute(f"DROP OWNED BY {ROLE}")
    admin.execute(f"DROP ROLE {ROLE}")


def listed_statements(title):
    """The SQL that docs/privileges.md has below a title."""
    text = (REPOSITORY / "docs/privileges.md").read_text()
    section = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL).group(1)
    return " ".join(line for line in section.splitlines() if line.startswith("    "))


def grant_listed(pipeline, title):
    """Runs what the docs list, for this database and role; the docs' names are those of an example."""
    statements = listed_statements(title)
    assert "GRANT" in statements
    for name, ours in {r"\bshop\b": pipeline.database, r"\bfirn\b": "FIRN", r"\bsales\b": "app"}.items():
        statements = re.sub(name, ours, statements)
    statements = statements.replace("PUBLICATION FIRN", f"PUBLICATION {pipeline.database}").replace("FIRN", ROLE)
    for statement in filter(None, map(str.strip, statements.split(";"))):
        if not statement.startswith("CREATE ROLE"):
            pipeline.execute(statement)
        else:
            pipeline.execute(f"ALTER ROLE {ROLE} REPLICATION")


def as_role(pipeline, **settings):
    pipeline.configure(source={"url": pipeline.postgres.url(pipeline.database, ROLE, "only-what-is-listed"), "tables": ["app.*"]}, **settings)


TABLES = """
    CREATE SCHEMA app;
    CREATE TABLE app.orders (id int PRIMARY KEY, v text);
    INSERT INTO app.orders SELECT n, 'v' || n FROM generate_series(1, 300) n;
    CREATE TABLE app.items (id int PRIMARY KEY, v text); INSERT INTO app.items VALUES (1, 'one');
"""
CHANGES = """
    UPDATE app.orders SET v = 'changed' WHERE id < 50; DELETE FROM app.orders WHERE id > 280;
    INSERT INTO app.items SELECT n, 'more' FROM generate_series(2, 30) n;
"""


def run_all(pipeline):
    """Every command, with a copy and changes."""
    assert pipeline.firn.command("check").returncode == DONE
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    pipeline.execute(CHANGES)
    done = pipeline.firn.command("verify", "--json")
    assert done.returncode == DONE, done.stdout + done.stderr
    assert {table["result"] for table in json.loads(done.stdout)["tables"]} == {"equal"}
    assert pipeline.firn.command("status").returncode == DONE
    pipeline.firn.stop()
    pipeline.expect_equal("app.orders", "app.items", engines=("pyiceberg",))
    assert pipeline.firn.command("cleanup").returncode == DONE
    slots = pipeline.execute("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()").fetchall()
    assert slots == []


def test_the_listed_rights_are_enough(pipeline, role):
    pipeline.execute(TABLES)
    grant_listed(pipeline, "A role for firn")
    as_role(pipeline)
    run_all(pipeline)


def test_the_listed_rights_are_enough_to_make_the_publication(pipeline, role):
    pipeline.execute(TABLES)
    grant_listed(pipeline, "A role that makes the publication itself")
    pipeline.execute(f"ALTER TABLE app.orders OWNER TO {ROLE}; ALTER TABLE app.items OWNER TO {ROLE}")
    as_role(pipeline)
    run_all(pipeline)
    assert pipeline.execute("SELECT pubname FROM pg_publication").fetchall() == []


def expect_problem(pipeline, *texts):
    checked = pipeline.firn.command("check")
    assert checked.returncode == FAILED, checked.stdout + checked.stderr
    for text in texts:
        assert text in checked.stdout + checked.stderr
    assert "only-what-is-listed" not in checked.stdout + checked.stderr
    assert list(pathlib.Path(pipeline.firn.warehouse).rglob("*.metadata.json")) == []


def test_each_missing_right_is_named_with_its_grant(pipeline, role):
    pipeline.execute(TABLES)
    database = pipeline.database
    as_role(pipeline)
    expect_problem(pipeline, f'GRANT CONNECT ON DATABASE "{database}" TO "{ROLE}"')
    pipeline.execute(f"GRANT CONNECT ON DATABASE {database} TO {ROLE}")
    expect_problem(
        pipeline,
        f'ALTER ROLE "{ROLE}" REPLICATION',
        f'GRANT CREATE ON DATABASE "{database}" TO "{ROLE}"',
        f'GRANT USAGE ON SCHEMA "app" TO "{ROLE}"',
        f'GRANT SELECT ON "app"."orders" TO "{ROLE}"',
        f'GRANT SELECT ON "app"."items" TO "{ROLE}"',
    )
    pipeline.execute(f"ALTER ROLE {ROLE} REPLICATION")
    pipeline.execute(f"GRANT CREATE ON DATABASE {database} TO {ROLE}; GRANT USAGE ON SCHEMA app TO {ROLE}; GRANT SELECT ON app.items TO {ROLE}")
    expect_problem(pipeline, f'GRANT SELECT ON "app"."orders" TO "{ROLE}"')
    pipeline.execute(f"GRANT SELECT ON app.orders TO {ROLE}")
    told = pipeline.firn.command("run", "--until-caught-up")
    assert told.returncode == FAILED
    assert "app.orders (owner postgres)" in told.stderr
    pipeline.execute(f"CREATE PUBLICATION {database} FOR TABLE app.orders, app.items")
    pipeline.catch_up()
    pipeline.expect_equal("app.orders", "app.items", engines=("pyiceberg",))


def test_row_level_security_is_an_error_and_no_copy_in_part(pipeline, role):
    pipeline.execute(TABLES)
    grant_listed(pipeline, "A role for firn")
    pipeline.execute("""
        ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY; CREATE POLICY even_ones ON app.orders USING (id % 2 = 0);
        ALTER TABLE app.items ENABLE ROW LEVEL SECURITY;
    """)
    as_role(pipeline)
    expect_problem(pipeline, "row-level security hides rows of table app.orders", "table app.items", f'ALTER ROLE "{ROLE}" BYPASSRLS')
    told = pipeline.firn.command("run", "--until-caught-up")
    assert told.returncode == FAILED
    assert "row-level security" in told.stderr
    pipeline.execute(f"ALTER ROLE {ROLE} BYPASSRLS")
    pipeline.catch_up()
    pipeline.expect_equal("app.orders", "app.items", engines=("pyiceberg",))


def test_row_level_security_that_comes_later_hides_nothing(pipeline, role):
    """The stream knows no policies; a table that is copied again does, and says so."""
    pipeline.execute(TABLES)
    grant_listed(pipeline, "A role for firn")
    as_role(pipeline)
    pipeline.catch_up()
    pipeline.execute("ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY")
    pipeline.execute(CHANGES)
    told = pipeline.firn.command("run", "--until-caught-up")
    assert told.returncode == FAILED
    assert f'ALTER ROLE "{ROLE}" BYPASSRLS' in told.stderr
    pipeline.execute("ALTER TABLE app.orders DISABLE ROW LEVEL SECURITY")
    pipeline.catch_up()
    pipeline.expect_equal("app.orders", "app.items", engines=("pyiceberg",))
