#include "pipeline/table_contents.h"

#include <gtest/gtest.h>

namespace firn::pipeline {
namespace {

iceberg::TableMetadata WithSummary(iceberg::Properties summary) {
  iceberg::TableMetadata metadata;
  iceberg::Snapshot snapshot;
  snapshot.snapshot_id = 7;
  snapshot.summary = std::move(summary);
  metadata.snapshots.push_back(std::move(snapshot));
  metadata.current_snapshot_id = 7;
  return metadata;
}

TEST(TableContents, AreUnknownWithoutASnapshot) { EXPECT_FALSE(ContentsOf(iceberg::TableMetadata()).has_value()); }

TEST(TableContents, TakeDeletedRowsOff) {
  const auto contents = ContentsOf(WithSummary({{"total-records", "100"},
                                                {"total-position-deletes", "7"},
                                                {"total-equality-deletes", "3"},
                                                {"total-data-files", "5"},
                                                {"total-delete-files", "2"},
                                                {"total-files-size", "4096"}}));
  ASSERT_TRUE(contents.has_value());
  EXPECT_EQ(contents->rows, 90);
  EXPECT_EQ(contents->deleted_rows, 10);
  EXPECT_EQ(contents->data_files, 5);
  EXPECT_EQ(contents->delete_files, 2);
  EXPECT_EQ(contents->bytes, 4096);
}

TEST(TableContents, CountWhatASummaryLacksAsNothing) {
  const auto contents = ContentsOf(WithSummary({{"total-records", "100"}}));
  ASSERT_TRUE(contents.has_value());
  EXPECT_EQ(contents->rows, 100);
  EXPECT_EQ(contents->data_files, 0);
}

}  // namespace
}  // namespace firn::pipeline
