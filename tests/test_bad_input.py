"""Mistakes: an exit code, a cause and a remedy on stderr, and nothing made anywhere."""

import pytest
from harness.firn_process import run_firn
from harness.postgres_server import PostgresServer, free_port

RUN_TIME, USAGE = 1, 2


def expect_refused(pipeline, *words, code, command=("run", "--until-caught-up")):
    done = pipeline.firn.command(*command)
    assert done.returncode == code, f"exit code {done.returncode}:\n{done.stderr}"
    for word in words:
        assert word in done.stderr, f"{word!r} is not in:\n{done.stderr}"
    # The cause and the remedy are the last line, for those who see only that.
    assert any(word in done.stderr.strip().splitlines()[-1] for word in words), done.stderr
    assert "terminate called" not in done.stderr and "Sanitizer" not in done.stderr
    expect_nothing_made(pipeline)


def expect_nothing_made(pipeline):
    slots = pipeline.execute("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()").fetchall()
    assert slots == []
    assert pipeline.execute("SELECT pubname FROM pg_publication").fetchall() == []
    assert not pipeline.firn.warehouse.exists()


@pytest.fixture
def filled(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    return pipeline


def test_a_server_that_is_not_there(filled):
    port = free_port()
    filled.configure(source={"url": f"postgresql://postgres@127.0.0.1:{port}/shop"})
    expect_refused(filled, str(port), code=RUN_TIME)


def test_a_database_that_is_not_there(filled, postgres):
    filled.configure(source={"url": postgres.url("no_such_database")})
    expect_refused(filled, "no_such_database", code=RUN_TIME)


def test_a_url_that_is_none(filled):
    filled.configure(source={"url": "postgresql:/oops"})
    expect_refused(filled, "url", code=USAGE)


def test_a_wrong_password(filled, postgres, admin):
    admin.execute("DROP ROLE IF EXISTS locked")
    admin.execute("CREATE ROLE locked LOGIN REPLICATION PASSWORD 'right'")
    filled.configure(source={"url": postgres.url(filled.database, "locked", "wr0ng-one")})
    expect_refused(filled, "password", code=RUN_TIME)
    assert "wr0ng-one" not in filled.firn.command("run", "--until-caught-up").stderr


def test_a_role_without_the_replication_right(filled, postgres, admin):
    admin.execute("DROP ROLE IF EXISTS reader")
    admin.execute("CREATE ROLE reader LOGIN")
    filled.configure(source={"url": postgres.url(filled.database, "reader")})
    expect_refused(filled, "REPLICATION", code=RUN_TIME)


def test_a_publication_that_is_missing_and_may_not_be_made(filled, postgres, admin):
    admin.execute("DROP ROLE IF EXISTS copier")
    admin.execute("CREATE ROLE copier LOGIN REPLICATION")
    filled.execute("GRANT SELECT ON t TO copier")
    filled.configure(source={"url": postgres.url(filled.database, "copier")})
    expect_refused(filled, "publication", code=RUN_TIME)


def test_a_role_that_may_not_read_the_table(filled, postgres, admin):
    admin.execute("DROP ROLE IF EXISTS blind")
    admin.execute("CREATE ROLE blind LOGIN REPLICATION")
    filled.execute("CREATE PUBLICATION mine FOR TABLE t")
    filled.configure(source={"url": postgres.url(filled.database, "blind"), "publication": "mine"})
    done = filled.firn.command("run", "--until-caught-up")
    assert done.returncode == RUN_TIME, done.stderr
    assert "SELECT" in done.stderr and "t" in done.stderr, done.stderr


def test_a_server_without_logical_wal(filled, postgres_directory):
    server = PostgresServer(postgres_directory / f"replica-{filled.database}", settings={"wal_level": "replica"}).start()
    try:
        filled.configure(source={"url": server.url("postgres")})
        expect_refused(filled, "wal_level", code=RUN_TIME)
        with server.connect() as connection:
            assert connection.execute("SELECT pubname FROM pg_publication").fetchall() == []
    finally:
        server.stop()


def test_a_warehouse_that_can_not_be_written(filled, tmp_path):
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    filled.configure(catalog={"uri": f"sqlite://{blocked}/lake/catalog.db", "warehouse": f"file://{blocked}/lake"})
    expect_refused(filled, "a-file", code=RUN_TIME)


def test_a_table_whose_changes_can_not_be_followed_is_named_with_the_remedy(pipeline):
    pipeline.execute("CREATE TABLE keyless (v int); INSERT INTO keyless VALUES (1); CREATE TABLE t (id int PRIMARY KEY)")
    done = pipeline.catch_up()
    assert "keyless" in done.stderr and "REPLICA IDENTITY" in done.stderr, done.stderr
    pipeline.expect_equal("keyless", "t")


CONFIGURATIONS = {
    "an unknown section": ({"sorce": {"url": "x"}}, "sorce"),
    "an unknown key": ({"writer": {"comit_interval_ms": 5}}, "comit_interval_ms"),
    "a word for a number": ({"writer": {"commit_interval_ms": "soon"}}, "commit_interval_ms"),
    "a negative size": ({"writer": {"target_file_size_bytes": -1}}, "target_file_size_bytes"),
    "an unknown catalog": ({"catalog": {"type": "hive"}}, "hive"),
    "an unknown compression": ({"writer": {"compression": "middle-out"}}, "middle-out"),
    "a bad address": ({"http": {"listen": "nowhere"}}, "listen"),
}


@pytest.mark.parametrize(("settings", "word"), CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())
def test_configuration_with(filled, settings, word):
    filled.configure(**settings)
    expect_refused(filled, word, code=USAGE)


def test_every_mistake_of_a_configuration_is_told_at_once(filled):
    filled.configure(sorce={"url": "x"}, writer={"comit_interval_ms": 5, "compression": "middle-out"})
    done = filled.firn.command("run")
    assert done.returncode == USAGE
    for word in ("sorce", "comit_interval_ms", "middle-out"):
        assert word in done.stderr, done.stderr
    expect_nothing_made(filled)


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "--source", "postgresql://x"],
        ["run", "--no-such-option"],
        ["no-such-command"],
        ["config", "no-such-command"],
        ["run", "--config", "no/such/file.yaml"],
    ],
    ids=" ".join,
)
def test_wrong_usage(binary, arguments):
    done = run_firn(*arguments)
    assert done.returncode == USAGE
    assert done.stderr.strip()
    assert done.stdout == ""


def test_an_unknown_command_is_named(binary):
    assert "'statsu' is no command of firn (did you mean 'status'?)" in run_firn("statsu").stderr
    assert "'bogus' is no command of firn; it has run, status, " in run_firn("bogus", "--config", "x").stderr
    assert "'exampel' is no command of firn config (did you mean 'example'?)" in run_firn("config", "exampel").stderr


def test_tables_of_the_command_line_are_not_for_a_file(filled):
    done = filled.firn.command("run", "--tables", "public.t")
    assert done.returncode == USAGE
    assert "source.tables" in done.stderr and "--tables" in done.stderr
    expect_nothing_made(filled)


def test_check_names_every_problem_with_its_remedy(filled, postgres, admin):
    admin.execute("DROP ROLE IF EXISTS checker")
    admin.execute("CREATE ROLE checker LOGIN")
    filled.execute("CREATE TABLE keyless (v int)")
    filled.configure(source={"url": postgres.url(filled.database, "checker")})
    done = filled.firn.command("check")
    assert done.returncode == RUN_TIME
    told = done.stdout + done.stderr
    for word in ("REPLICATION", "publication", "keyless"):
        assert word in told, told
    expect_nothing_made(filled)


def test_check_of_a_pipeline_that_can_run(filled):
    done = filled.firn.command("check")
    assert done.returncode == 0, done.stdout + done.stderr
    expect_nothing_made(filled)
