"""The catalog conformance suite, and what is a catalog's own, against real servers."""

from harness.cpp_suites import run_suite


def test_sql_catalog_on_postgresql(postgres, database):
    run_suite("catalog/firn_catalog_postgres_test", {"FIRN_TEST_POSTGRES_URL": postgres.url(database)}, timeout_s=400, tests_min=35)
