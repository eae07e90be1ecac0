#include "observe/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "observe/documented_metrics.h"

namespace firn {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

TEST(Metrics, ShowsSeriesWithoutLabelsFromTheStart) {
  const std::string text = Metrics().Expose();
  for (const char* line :
       {"iceberg_open_files 0\n", "iceberg_pending_commits 0\n", "iceberg_table_count 0\n",
        "firn_replication_lag_bytes 0\n", "firn_replication_lag_seconds 0\n", "firn_received_bytes_total 0\n",
        "firn_decoded_changes_total 0\n", "firn_buffered_bytes 0\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(Metrics, HasEverySeriesOfATableFromItsStart) {
  Metrics metrics;
  metrics.AddTable("t");
  const std::string text = metrics.Expose();
  for (const char* name :
       {"iceberg_rows_written_total", "iceberg_files_created_total", "iceberg_commits_successful_total",
        "iceberg_commits_failed_total", "iceberg_write_duration_seconds_count", "iceberg_commit_duration_seconds_count",
        "iceberg_file_size_bytes_count", "iceberg_batch_size_rows_count", "firn_rows_copied_total",
        "firn_compactions_total", "firn_expired_snapshots_total"}) {
    EXPECT_THAT(text, HasSubstr(std::string(name) + "{table=\"t\"} 0\n"));
  }
  metrics.RecordWrite("t", 10, 100, 1ms);
  metrics.AddTable("t");  // Nothing starts again.
  EXPECT_THAT(metrics.Expose(), HasSubstr("iceberg_rows_written_total{table=\"t\"} 10\n"));
}

TEST(Metrics, HasEveryKindOfRetryFromTheStart) {
  const std::string text = Metrics().Expose();
  for (const char* what : {"store_read", "store_request", "catalog_load", "catalog_commit"}) {
    EXPECT_THAT(text, HasSubstr("firn_retries_total{what=\"" + std::string(what) + "\"} 0\n"));
  }
}

TEST(Metrics, CountsWritesByTable) {
  Metrics metrics;
  metrics.RecordWrite("shop.orders", 1000, 2'000'000, 40ms);
  metrics.RecordWrite("shop.orders", 500, 100, 7s);
  metrics.RecordWrite("shop.items", 1, 10, 1ms);
  const std::string text = metrics.Expose();
  EXPECT_THAT(text, HasSubstr("iceberg_rows_written_total{table=\"shop.orders\"} 1500\n"));
  EXPECT_THAT(text, HasSubstr("iceberg_rows_written_total{table=\"shop.items\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("iceberg_files_created_total{table=\"shop.orders\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("iceberg_write_duration_seconds_count{table=\"shop.orders\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("iceberg_write_duration_seconds_bucket{table=\"shop.orders\",le=\"0.05\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("iceberg_file_size_bytes_sum{table=\"shop.orders\"} 2000100\n"));
  EXPECT_THAT(text, HasSubstr("iceberg_batch_size_rows_sum{table=\"shop.orders\"} 1500\n"));
}

TEST(Metrics, CountsCommitsByOutcome) {
  Metrics metrics;
  metrics.RecordCommit("t", true, 20ms);
  EXPECT_THAT(metrics.Expose(), HasSubstr("iceberg_commits_failed_total{table=\"t\"} 0\n"));
  metrics.RecordCommit("t", false, 20ms);
  const std::string text = metrics.Expose();
  EXPECT_THAT(text, HasSubstr("iceberg_commits_successful_total{table=\"t\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("iceberg_commits_failed_total{table=\"t\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("iceberg_commit_duration_seconds_count{table=\"t\"} 2\n"));
}

TEST(Metrics, KeepsGaugesAndCounters) {
  Metrics metrics;
  metrics.AddOpenFiles(4);
  metrics.AddOpenFiles(-1);
  metrics.SetPendingCommits(2);
  metrics.SetTableCount(7);
  metrics.AddReceived(100, 5);
  metrics.AddReceived(-1, 0);  // a counter never goes back
  metrics.SetLag(4096, 1.5);
  metrics.SetBufferedBytes(512);
  metrics.AddCopiedRows("t", 10);
  metrics.RecordCompaction("t", 60, 5000);
  metrics.RecordCompaction("t", 5, 1000);
  metrics.AddExpiredSnapshots("t", 12);
  EXPECT_TRUE(metrics.AddUnrepresentableValues("t", "c", "null", 2));
  EXPECT_FALSE(metrics.AddUnrepresentableValues("t", "c", "null", 3));
  EXPECT_TRUE(metrics.AddUnrepresentableValues("t", "d", "clamp", 1));
  const std::string text = metrics.Expose();
  for (const char* line :
       {"iceberg_open_files 3\n", "iceberg_pending_commits 2\n", "iceberg_table_count 7\n",
        "firn_received_bytes_total 100\n", "firn_decoded_changes_total 5\n", "firn_replication_lag_bytes 4096\n",
        "firn_replication_lag_seconds 1.5\n", "firn_buffered_bytes 512\n", "firn_rows_copied_total{table=\"t\"} 10\n",
        "firn_compactions_total{table=\"t\"} 2\n", "firn_compacted_files_total{table=\"t\"} 65\n",
        "firn_compaction_written_bytes_total{table=\"t\"} 6000\n", "firn_expired_snapshots_total{table=\"t\"} 12\n",
        "firn_unrepresentable_values_total{column=\"c\",policy=\"null\",table=\"t\"} 5\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(Metrics, AreAllDocumented) {
  Metrics metrics;
  metrics.RecordWrite("t", 1, 1, 1ms);
  metrics.RecordCommit("t", true, 1ms);
  metrics.AddCopiedRows("t", 1);
  metrics.RecordCompaction("t", 1, 1);
  metrics.AddExpiredSnapshots("t", 1);
  metrics.AddUnrepresentableValues("t", "c", "null", 1);
  ExpectDocumented(metrics.Expose(), 23);
}

}  // namespace
}  // namespace firn
