"""Glue's catalog on moto, behind a proxy that refuses stale versions of tables as Glue does and moto doesn't."""

import pytest
from harness import services
from harness.cpp_suites import run_suite
from harness.faulty_proxy import HttpProxy
from harness.glue_versions import VersionGuard
from harness.services import Unavailable


def test_glue_catalog_conforms(servers):
    try:
        # One of its own: each test of the suite empties it.
        moto = servers.get("moto of the suite", lambda: services.Moto(servers.directory / "moto-of-the-suite"))
    except Unavailable as why:
        pytest.skip(str(why))
    versions = VersionGuard(moto.url)
    proxy = HttpProxy(moto.address, versions).start()
    try:
        run_suite("catalog/firn_catalog_glue_test", {"FIRN_TEST_GLUE_ENDPOINT": proxy.url}, timeout_s=400, tests_min=20)
    finally:
        proxy.stop()
    assert versions.refused > 0, "no writer was ever too late: the optimistic lock was not tried"


def test_pyiceberg_and_firn_commit_to_the_same_tables(deploy):
    pipeline = deploy("glue-moto")
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text, at timestamptz); INSERT INTO t VALUES (1, 'a', now()), (2, 'b', now())")
    pipeline.catch_up()
    catalog = pipeline.lake.catalog()
    namespace = pipeline.deployment.namespace
    assert catalog.list_tables(namespace) == [(namespace, "t")]
    with catalog.load_table((namespace, "t")).transaction() as transaction:
        transaction.set_properties({"set.by": "pyiceberg"})
    pipeline.execute("UPDATE t SET v = 'c' WHERE id = 2; INSERT INTO t VALUES (3, 'd', now())")
    pipeline.catch_up()
    pipeline.expect_equal("t")
    table = catalog.load_table((namespace, "t"))
    assert table.properties["set.by"] == "pyiceberg"

    entry = catalog.glue.get_table(DatabaseName=namespace, Name="t")["Table"]
    assert entry["TableType"] == "EXTERNAL_TABLE"
    assert entry["Parameters"]["table_type"] == "ICEBERG"
    assert entry["Parameters"]["metadata_location"] == table.metadata_location
    assert entry["Parameters"]["previous_metadata_location"]
    assert [(column["Name"], column["Type"]) for column in entry["StorageDescriptor"]["Columns"]] == [
        ("id", "int"),
        ("v", "string"),
        ("at", "timestamp"),
    ]


def test_name_that_glue_does_not_take_is_told(deploy):
    pipeline = deploy("glue-moto")
    pipeline.execute('CREATE TABLE "Orders" (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY)')
    done = pipeline.firn.command("run", "--until-caught-up")
    assert done.returncode != 0
    assert 'table "Orders": a table of Glue is named with' in done.stderr
