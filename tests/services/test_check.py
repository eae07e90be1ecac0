"""firn check, of catalogs that are servers."""

from harness.faulty_proxy import s3_error


def test_check_names_every_table_that_glue_does_not_take(deploy):
    pipeline = deploy("glue-moto")
    pipeline.execute('CREATE TABLE "Orders" (id int PRIMARY KEY); CREATE TABLE "Items" (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY)')
    done = pipeline.firn.command("check")
    assert done.returncode == 1
    assert 'table "Orders": a table of Glue is named with' in done.stdout
    assert 'table "Items": a table of Glue is named with' in done.stdout
    assert done.stdout.count("problem:") == 2, done.stdout


def test_check_tries_the_store_of_a_rest_catalogs_table(deploy):
    pipeline = deploy("rest-versitygw", faulty=True)
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')")
    done = pipeline.firn.command("check", check=True)
    assert "note: whether files can be written is not known" in done.stdout, done.stdout
    pipeline.catch_up()
    done = pipeline.firn.command("check", check=True)
    assert "note:" not in done.stdout, done.stdout

    proxy = pipeline.deployment.store_proxy
    refused = proxy.add(s3_error(403, "AccessDenied"), method="PUT", path="firn-write-check")
    done = pipeline.firn.command("check")
    assert refused.used
    assert done.returncode == 1
    assert "the location of table" in done.stdout and "s3:PutObject" in done.stdout, done.stdout
    pipeline.expect_equal("t")
