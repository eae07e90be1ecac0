"""Which tests only the thorough run takes: `make test ALL=1`, `make conformance ALL=1`.

They are more of what another test shows, or long. The short run is what every change must pass; it has each feature, each
failpoint and each kind of damage at least once.
"""

_FILTERED = {"p_none-i", "p_none-s", "p_none-tz", "p_i_bucket-i", "p_amt_truncate-amt", "p_d_month-d", "p_tz_hour-tz", "p_u_u-u", "p_many-ts"}
# By test: the variants that the short run keeps.
_THOROUGH = {
    "conformance/test_pruning.py::test_duckdb_finds_what_postgresql_finds": _FILTERED,
    "conformance/test_pruning.py::test_spark_finds_what_postgresql_finds": _FILTERED,
    "conformance/test_spark_connect.py::test_copies": set(),
    "conformance/test_spark_copy.py::test_passwords_stay_secret_and_a_failing_spark_is_tried_again": set(),
    "conformance/test_spark_copy.py::test_spark_copies_millions_of_rows_while_they_change": set(),
    "conformance/test_spark_copy.py::test_spark_copies_while_rows_change": {"3"},
    "conformance/test_spark_edits.py::test_firn_goes_on_from_compacted_files": {"v2-t", "v3-parted"},
    "conformance/test_spark_edits.py::test_firn_goes_on_from_rows_that_spark_changed": {"v2-parquet", "v2-avro", "v3-orc"},
    "conformance/test_spark_engine.py::test_spark_compacts_while_firn_streams": {"2"},
    "conformance/test_spark_engine.py::test_spark_reaches_a_catalog_in_postgresql": set(),
    "test_cdc_modes.py::test_a_mirror_can_tell_what_changed_each_row": {"2"},
    "test_cdc_modes.py::test_deleted_rows_can_stay_marked": {"2"},
    "test_cdc_modes.py::test_each_change_can_be_a_row": {"2-DEFAULT", "1-FULL"},
    "test_cdc_modes.py::test_history_has_each_version_of_a_row": {"2"},
    "test_cdc_modes.py::test_large_values_that_an_update_leaves_alone_are_in_every_row": {"3-mirror", "4-history"},
    "test_cdc_modes.py::test_rows_change_across_partitions": {"history", "soft delete"},
    "test_compare.py::test_a_difference_is_seen": set(),
    "test_copy_resumption.py::test_killed_again_and_again": {"v2", "partitioned", "history"},
    "test_copy_resumption.py::test_lets_the_log_go_before_its_end": {"v3", "little-memory"},
    "test_delete_forms.py::test_forms_can_be_switched_between_starts": set(),
    "test_delete_forms.py::test_killed_under_load": {"vector"},
    "test_kill.py::test_killed_ten_times_under_load": {"1"},
    "test_maintenance.py::test_compacts_to_few_files_with_the_same_rows": {"unpartitioned-position", "partitioned-vector"},
    "test_memory.py::test_updates_that_leave_many_times_the_limit_unchanged": {"mirror"},
    "test_memory.py::test_values_of_100_mb": set(),
    "test_partitions.py::test_a_copy_into_a_thousand_partitions": set(),
    "test_partitions.py::test_every_transform_on_every_legal_type": set(),
    "test_partitions.py::test_filters_give_the_rows_that_they_should": set(),
    "test_pgbench.py::test_load_while_firn_runs": {"tpcb-like"},
    "test_random_changes.py::test_both_sides_are_equal_however_tables_are_altered": {"1"},
    "test_random_changes.py::test_both_sides_are_equal_whatever_happens": {"1"},
    "test_schema_changes.py::test_partitions": {"attached-running", "detached-down", "truncated-running", "rewritten-down"},
    "test_schema_changes.py::test_while_firn_is_down": {
        "add a column with a default",
        "add a column and fill it",
        "drop and add under one name",
        "swap two names",
        "another key",
        "a truncate and a new column",
    },
    "test_sorted_tables.py::test_compaction_sorts": {"unpartitioned-vector", "partitioned-position"},
    "test_sorted_tables.py::test_history_is_sorted_too": {"vector"},
    "test_sql_catalog_sharing.py::test_firn_uses_what_others_make": {"sqlite-java-V1", "postgresql-pyiceberg"},
    "test_table_set.py::test_killed_while_tables_come": {"1"},
    "test_types.py::test_a_value_that_iceberg_cannot_hold_is_clamped": set(),
    "test_types.py::test_a_value_that_iceberg_cannot_hold_becomes_null": set(),
    "test_upkeep.py::test_expires_the_oldest_beyond_the_maximum_without_waiting_for_its_interval": set(),
    "test_upkeep.py::test_large_values_that_updates_leave_alone_survive_compactions": {"mirror"},
    "test_upkeep.py::test_stays_right_when_killed": {"position", "vector-sorted-partitioned"},
    "test_upkeep.py::test_stays_small_while_rows_change": {"vector", "position-sorted"},
    "test_verify.py::test_damage_is_found_and_named_while_rows_change": {"position", "vector"},
}


def is_thorough(node_id):
    test, _, variant = node_id.partition("[")
    return test in _THOROUGH and variant.removesuffix("]") not in _THOROUGH[test]


def unknown_names(node_ids):
    """What is named here and is not among these: renamed, or gone."""
    tests = {node_id.partition("[")[0] for node_id in node_ids}
    variants = set(node_ids)
    files = {test.partition("::")[0] for test in tests}
    here = {test: kept for test, kept in _THOROUGH.items() if test.partition("::")[0] in files}
    return sorted(
        [test for test in here if test not in tests]
        + [f"{test}[{variant}]" for test, kept in here.items() for variant in kept if f"{test}[{variant}]" not in variants]
    )
