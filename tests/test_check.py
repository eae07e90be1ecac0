"""firn check says what the next firn run would fail with, and firn run fails with nothing else."""

import os
import pathlib
import re

from harness.firn_process import run_firn
from harness.postgres_server import free_port, identifier

DONE, FAILED, USAGE = 0, 1, 2
TABLE = "CREATE TABLE t (id int PRIMARY KEY, d date, v text); INSERT INTO t VALUES (1, '2024-01-01', 'a')"
SECRET = "geheim-0815"


def expect_both(pipeline, *texts, code=FAILED):
    """Both commands end so, and say so."""
    for command in (["check"], ["run", "--until-caught-up"]):
        done = pipeline.firn.command(*command)
        assert done.returncode == code, done.stdout + done.stderr
        for text in texts:
            assert text in done.stdout + done.stderr, done.stdout + done.stderr


def problems(pipeline):
    return re.findall(r"^problem: (.*)$", pipeline.firn.command("check").stdout, re.MULTILINE)


def test_a_slot_that_is_gone_though_tables_were_copied(pipeline):
    pipeline.execute(TABLE)
    pipeline.catch_up()
    pipeline.firn.command("cleanup", check=True)
    expect_both(pipeline, "table public.t was copied before, but slot", "source.on_lost_slot: copy")
    pipeline.configure(source={"on_lost_slot": "copy"})
    checked = pipeline.firn.command("check", check=True)
    assert "warning: table public.t was copied before" in checked.stdout, checked.stdout


def test_a_running_pipeline_is_well(pipeline):
    pipeline.execute(TABLE)
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    for n in range(5):
        pipeline.execute(f"INSERT INTO t SELECT n, now(), 'b' FROM generate_series({n * 100 + 10}, {n * 100 + 50}) n")
        assert problems(pipeline) == []
    pipeline.firn.stop()


def test_tables_of_another_pipeline(pipeline):
    pipeline.execute(TABLE)
    pipeline.catch_up()
    name = identifier(pipeline.database)
    pipeline.configure(source={"slot": f"{name[:50]}_other", "publication": name})
    expect_both(pipeline, f"pipeline '{name}' writes it")
    assert len(problems(pipeline)) == 1


def test_a_publication_without_tables_is_named(pipeline):
    pipeline.execute(TABLE)
    pipeline.execute("CREATE PUBLICATION mine")
    pipeline.configure(source={"publication": "mine"})
    expect_both(pipeline, "publication 'mine' has no table", 'ALTER PUBLICATION "mine" ADD TABLE')


def test_a_state_folder_below_a_file(pipeline, tmp_path):
    pipeline.execute(TABLE)
    (tmp_path / "file").touch()
    pipeline.configure(state_dir=str(tmp_path / "file/state"))
    (told,) = problems(pipeline)
    assert "state_dir" in told and "file is not a folder" in told


def test_every_problem_of_a_table_is_told_once(pipeline):
    pipeline.execute(TABLE)
    table = {
        "partition_by": ["day(nope)", "hour(d)"],
        "sort_by": ["foo"],
        "unrepresentable_columns": {"nix": "clamp"},
        "computed": {"region": "upper(land)"},
    }
    pipeline.configure(tables={"public.t": table})
    checked = pipeline.firn.command("check")
    assert checked.returncode == USAGE, checked.stdout
    for word in ("nope", "hour(d)", "foo", "nix", "land"):
        assert checked.stdout.count(word) >= 1, checked.stdout
    assert checked.stdout.count("problem:") == 5 and "table public.t: table" not in checked.stdout, checked.stdout
    assert pipeline.firn.command("run", "--until-caught-up").returncode == USAGE


def test_mistakes_in_the_section_tables_have_their_line(pipeline):
    pipeline.execute(TABLE)
    pipeline.configure(tables={"public.t": {"partition_by": ["days(d)"], "sort_by": ["d last"], "columns": {"v": "texts"}}})
    lines = pipeline.firn.config.read_text().splitlines()
    for command in ("check", "run", "status", "cleanup"):
        done = pipeline.firn.command(command)
        assert done.returncode == USAGE, done.stdout + done.stderr
        for key in ("partition_by", "sort_by", "columns"):
            line = next(n for n, text in enumerate(lines, 1) if f'"{key}"' in text)
            # A value may begin in the line of its key or in the next.
            assert re.search(rf"firn\.yaml:({line}|{line + 1}): tables\.public\.t\.{key}: ", done.stderr), done.stderr


def test_a_malformed_url_is_a_mistake_in_the_configuration(pipeline):
    pipeline.configure(source={"url": "postgresql://firn@db:port/shop"})
    expect_both(pipeline, "firn.yaml:", "source.url is malformed", code=USAGE)


def test_settings_of_a_table_that_is_not_there(pipeline):
    pipeline.execute("CREATE TABLE orders (id int PRIMARY KEY)")
    pipeline.configure(tables={"public.ordres": {"cdc_mode": "append"}})
    for command in (["check"], ["run", "--until-caught-up"]):
        done = pipeline.firn.command(*command, check=True)
        assert "tables.public.ordres: the pipeline replicates no table of this name (did you mean 'public.orders'?)" in (
            done.stdout + done.stderr
        )


def test_tables_that_would_be_upgraded_are_named(pipeline):
    pipeline.execute(TABLE)
    pipeline.catch_up()
    pipeline.configure(destination={"format_version": 3})
    checked = pipeline.firn.command("check", check=True)
    assert "upgrades a table to format version 3, which can't be undone: public.t" in checked.stdout, checked.stdout
    assert pipeline.lake.table("public", "t").metadata.format_version == 2
    pipeline.catch_up()
    assert "upgrades" not in pipeline.firn.command("check", check=True).stdout


def test_one_table_is_one(pipeline):
    pipeline.execute(TABLE)
    assert "ok: 1 table is ready" in pipeline.firn.command("check", check=True).stdout


def test_no_command_prints_the_password_of_a_catalogs_address(pipeline):
    pipeline.execute(TABLE)
    uri = f"http://user:{SECRET}@127.0.0.1:{free_port()}"
    retry = {"max_retries": 0, "base_delay_ms": 1, "max_delay_ms": 1}
    pipeline.configure(catalog={"type": "rest", "uri": uri, "warehouse": None}, retry=retry)
    for command in (["check"], ["run", "--until-caught-up"], ["status"], ["status", "--json"], ["verify"], ["maintain"]):
        done = pipeline.firn.command(*command)
        assert done.returncode == FAILED, done.stdout + done.stderr
        assert SECRET not in done.stdout + done.stderr, command
    assert "http://user:***@127.0.0.1" in pipeline.firn.command("run").stderr


# --- Without a file ---


def direct(pipeline, warehouse, *arguments, environment=None, check=False):
    name = identifier(pipeline.database)
    variables = {"FIRN_SOURCE_SLOT": name, "FIRN_SOURCE_PUBLICATION": name} | (environment or {})
    options = ("--source", pipeline.url, "--warehouse", warehouse)
    return run_firn(*arguments[:1], *options, *arguments[1:], environment=variables, check=check)


def slots(pipeline):
    return pipeline.execute("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()").fetchall()


def test_every_command_goes_without_a_file(pipeline, tmp_path):
    pipeline.execute(TABLE)
    lake = tmp_path / "lake"
    assert "ok: 1 table" in direct(pipeline, lake, "check", check=True).stdout
    direct(pipeline, lake, "run", "--until-caught-up", check=True)
    assert (lake / "catalog.db").exists() and (lake / ".firn").is_dir()
    assert slots(pipeline) == [(identifier(pipeline.database),)]
    assert "streaming" in direct(pipeline, lake, "status", check=True).stdout
    # Without a firn that runs it may be behind what others have written to the server.
    assert "public.t" in direct(pipeline, lake, "verify", "--wait", "1").stdout
    direct(pipeline, lake, "maintain", check=True)
    direct(pipeline, lake, "resync", "--table", "public.t", check=True)
    direct(pipeline, lake, "run", "--until-caught-up", check=True)
    direct(pipeline, lake, "cleanup", check=True)
    assert slots(pipeline) == []
    assert (lake / "catalog.db").exists()


def test_variables_say_the_rest(pipeline, tmp_path):
    pipeline.execute(TABLE + "; CREATE TABLE other (id int PRIMARY KEY)")
    variables = {"FIRN_DESTINATION_TABLE_PREFIX": "my_", "FIRN_SOURCE_TABLES": "public.t"}
    direct(pipeline, tmp_path / "lake", "run", "--until-caught-up", environment=variables, check=True)
    assert "public.my_t" in direct(pipeline, tmp_path / "lake", "status", environment=variables, check=True).stdout
    done = direct(pipeline, tmp_path / "lake", "status", environment={"FIRN_SOURCE_TABLE": "public.t"})
    assert done.returncode == USAGE
    assert "FIRN_SOURCE_TABLE: unknown variable (did you mean 'FIRN_SOURCE_TABLES'?)" in done.stderr


def test_a_warehouse_in_a_store_has_its_catalog_on_this_machine(pipeline, tmp_path):
    pipeline.execute(TABLE)
    store = {
        "FIRN_STATE_DIR": str(tmp_path / "state"),
        "FIRN_STORAGE_S3_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "FIRN_STORAGE_S3_REGION": "r",
        "FIRN_STORAGE_S3_ACCESS_KEY_ID": "id",
        "FIRN_STORAGE_S3_SECRET_ACCESS_KEY": "secret",
    }
    done = direct(pipeline, "s3://lake/shop", "run", "--until-caught-up", environment=store)
    assert done.returncode == FAILED, done.stderr
    assert f"catalog={tmp_path}/state/catalog.db" in done.stderr and "s3://lake/shop" in done.stderr.splitlines()[-1]
    del store["FIRN_STATE_DIR"]
    if os.geteuid() != 0:
        store["XDG_STATE_HOME"] = str(tmp_path)
        done = direct(pipeline, "s3://lake/shop", "run", "--until-caught-up", environment=store)
        assert f"catalog={pathlib.Path(tmp_path)}/firn/warehouses/s3/lake/shop/catalog.db" in done.stderr
    assert slots(pipeline) == []


def test_health_is_asked_for_without_a_file(pipeline, tmp_path):
    pipeline.execute(TABLE)
    assert direct(pipeline, tmp_path / "lake", "health").returncode == USAGE
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    address = {"FIRN_HTTP_LISTEN": f"127.0.0.1:{pipeline.firn.http_port}"}
    said = direct(pipeline, tmp_path / "lake", "health", "--ready", environment=address, check=True).stdout
    assert said in ("copying\n", "streaming\n")
    pipeline.firn.stop()
