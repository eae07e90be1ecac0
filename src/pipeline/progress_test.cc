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

TEST(Progress, KnowsTheTimelineThatItIsOf) {
  PipelineIdentity promoted = kWriter;
  promoted.timeline = 3;
  const auto progress_of = [](const PipelineIdentity& writer) {
    return *ReadProgress(WithSnapshots({{.snapshot_id = 1, .summary = ProgressSummary(writer, Lsn{7}, "c")}})).value();
  };
  EXPECT_EQ(progress_of(promoted).writer.timeline, 3);
  EXPECT_EQ(progress_of(promoted).writer, kWriter);
  EXPECT_EQ(progress_of(kWriter).writer.timeline, 0);
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

/// The table, as it is behind a commit with this summary.
iceberg::TableMetadata Stating(iceberg::TableMetadata metadata, const iceberg::Properties& summary) {
  iceberg::CommitRequest request;
  StateProgress(summary, request);
  metadata.properties = std::get<iceberg::SetProperties>(request.updates.front()).properties;
  return metadata;
}

TEST(Progress, OutlivesItsSnapshot) {
  const auto progress = ReadProgress(Stating(WithSnapshots({{.snapshot_id = 3, .parent_snapshot_id = 2}}),
                                             ProgressSummary(kWriter, Lsn{7}, "c")))
                            .value();
  ASSERT_TRUE(progress);
  EXPECT_EQ(progress->lsn, Lsn{7});
  EXPECT_EQ(progress->writer, kWriter);
  EXPECT_EQ(progress->commit_id, "c");
  EXPECT_FALSE(progress->is_taken_back);
}

TEST(Progress, TellsATableThatWasTakenBack) {
  const iceberg::Properties first = ProgressSummary(kWriter, Lsn{7}, "first");
  const iceberg::Properties last = ProgressSummary(kWriter, Lsn{9}, "last");
  iceberg::TableMetadata table =
      Stating(WithSnapshots({{.snapshot_id = 1, .sequence_number = 1},
                             {.snapshot_id = 2, .parent_snapshot_id = 1, .sequence_number = 2, .summary = first},
                             {.snapshot_id = 3, .parent_snapshot_id = 2, .sequence_number = 3, .summary = last}}),
              last);
  const iceberg::TableMetadata before = table;
  EXPECT_FALSE(ReadProgress(table).value()->is_taken_back);

  table.current_snapshot_id = 2;
  const auto between = ReadProgress(table).value();
  EXPECT_EQ(between->lsn, Lsn{7});
  EXPECT_TRUE(between->is_taken_back);
  EXPECT_EQ(CheckOnlyWriter(before, table).error().kind(), ErrorKind::kAlreadyExists);

  table.current_snapshot_id = 1;
  const auto to_nothing = ReadProgress(table).value();
  ASSERT_TRUE(to_nothing);
  EXPECT_EQ(to_nothing->lsn, Lsn{});
  EXPECT_EQ(to_nothing->writer, kWriter);
  EXPECT_TRUE(to_nothing->is_taken_back);
  EXPECT_FALSE(CheckOnlyWriter(before, table).has_value()) << "it was taken back since";
  EXPECT_TRUE(CheckOnlyWriter(table, table).has_value()) << "as a copy of it knows";
}

TEST(Progress, RefusesADamagedLsn) {
  const auto progress = ReadProgress(WithSnapshots({{.snapshot_id = 1, .summary = {{kLsnKey, "yesterday"}}}}));
  ASSERT_FALSE(progress.has_value());
  EXPECT_EQ(progress.error().kind(), ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace firn::pipeline
