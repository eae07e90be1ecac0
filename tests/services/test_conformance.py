"""The C++ conformance suites of stores and of the REST catalog, on real servers."""

import pytest
from harness import services
from harness.cpp_suites import run_suite
from harness.deployments import BUCKET, OAUTH_CLIENT, azure_store, gcs_store, s3_store
from harness.services import Unavailable

STORES = {
    "moto": (services.Moto, s3_store, "s3://{bucket}/suite"),
    "versitygw": (services.Versitygw, s3_store, "s3://{bucket}/suite"),
    "minio": (services.Minio, s3_store, "s3://{bucket}/suite"),
    "fake-gcs": (services.FakeGcs, gcs_store, "gs://{bucket}/suite"),
    "azurite": (services.Azurite, azure_store, "abfss://{bucket}@devstoreaccount1.dfs.core.windows.net/suite"),
}

# What Apache's server, which is made for tests, does otherwise than a catalog should.
REST_FIXTURE_DIFFERS = {
    "RenamedTableKeepsItsMetadata": "a new table gets the folder of the renamed one whose name it has",
    "WhatDoesNotExistSaysSo": "it makes tables in a namespace that is not there",
    "WritersOfTwoTablesInEitherOrderDoNotBlockEachOther": "of two transactions at once it acknowledges both and loses one",
    "OddNamesAreNamesLikeOthers": "it takes a dot for the end of a level, and refuses a backslash",
}


@pytest.mark.parametrize("name", STORES)
def test_store_conforms(servers, name):
    kind, store_of, root = STORES[name]
    service = available(lambda: servers.simple(kind))
    store = store_of(service, root.format(bucket=BUCKET))
    ((section, settings),) = store.firn.items()
    words = [store.warehouse, *(f"{key}={str(value).lower() if value is True else value}" for key, value in settings.items())]
    variable = f"FIRN_TEST_STORE_{section.upper()}"
    # S3 twice: with its own keys, and with keys as a catalog vends them.
    run_suite(
        "storage/firn_storage_test",
        {variable: " ".join(words)},
        timeout_s=1800,  # Azurite takes four requests a file, a thousand times.
        tests_min=20 if section == "s3" else 10,
        only=f"Stores/StoreConformanceTest.*/{section.upper()}*",
    )


def test_rest_catalog_conforms(servers, tmp_path):
    client = ":".join(OAUTH_CLIENT)
    make = lambda: services.IcebergRest(tmp_path, warehouse=f"file://{tmp_path}/warehouse", oauth=client)  # noqa: E731
    # One of its own: each test of the suite empties it.
    server = available(lambda: servers.get("iceberg-rest of the suite", make))
    run_suite(
        "catalog/firn_catalog_test",
        {"FIRN_TEST_REST_URI": server.url, "FIRN_TEST_REST_CREDENTIAL": client},
        timeout_s=400,
        tests_min=22,
        only="RestServer/*-" + ":".join(f"*.{name}/*" for name in REST_FIXTURE_DIFFERS),
    )


def available(get):
    try:
        return get()
    except Unavailable as why:
        pytest.skip(str(why))
