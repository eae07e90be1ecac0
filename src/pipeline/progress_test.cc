#include "pipeline/progress.h"

#include <gtest/gtest.h>

#include <type_traits>

namespace firn::pipeline {
namespace {

iceberg::TableMetadata WithSnapshots(std::vector<iceberg::Snapshot> snapshots) {
  iceberg::TableMetadata metadata;
  if (!snapshots.empty()) metadata.current_snapshot_id = snapshots.back().snapshot_id;
  metadata.snapshots = std::move(snapshots);
  return metadata;
}

const PipelineIdentity kWriter{.pipeline = "firn", .system_identifier = "42"};

// Only the commit loop can make a receipt, and a receipt is all that moves Progress: acknowledging before a commit does
// not compile.
static_assert(!std::is_default_constructible_v<catalog::CommitReceipt>);
static_assert(!std::is_copy_constructible_v<catalog::CommitReceipt>);
static_assert(!std::is_constructible_v<catalog::CommitReceipt, Lsn, std::vector<catalog::LoadedTable>, int>);

TEST(Progress, IsNothingForATableThatFirnNeverCommitted) {
  EXPECT_FALSE(ReadProgress(WithSnapshots({})).value().has_value());
  EXPECT_FALSE(ReadProgress(WithSnapshots({{.snapshot_id = 1}})).value().has_value());
}

TEST(Progress, ComesBackFromTheSummary) {
  const auto progress =
      ReadProgress(WithSnapshots({{.snapshot_id = 1, .summary = ProgressSummary(kWriter, Lsn{0x1600000010}, "c")}}))
          .value();
  ASSERT_TRUE(progress);
  EXPECT_EQ(progress->lsn, Lsn{0x1600000010});
  EXPECT_EQ(progress->writer, kWriter);
  EXPECT_EQ(progress->commit_id, "c");
}

TEST(Progress, LooksBehindTheSnapshotsOfOtherWriters) {
  const auto progress =
      ReadProgress(WithSnapshots({{.snapshot_id = 1, .summary = ProgressSummary(kWriter, Lsn{7}, "c")},
                                  {.snapshot_id = 2, .parent_snapshot_id = 1},
                                  {.snapshot_id = 3, .parent_snapshot_id = 2}}))
          .value();
  ASSERT_TRUE(progress);
  EXPECT_EQ(progress->lsn, Lsn{7});
}

TEST(Progress, EndsWhereAParentHasExpired) {
  EXPECT_FALSE(ReadProgress(WithSnapshots({{.snapshot_id = 3, .parent_snapshot_id = 2}})).value().has_value());
}

TEST(Progress, RefusesADamagedLsn) {
  const auto progress = ReadProgress(WithSnapshots({{.snapshot_id = 1, .summary = {{kLsnKey, "yesterday"}}}}));
  ASSERT_FALSE(progress.has_value());
  EXPECT_EQ(progress.error().kind(), ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace firn::pipeline
