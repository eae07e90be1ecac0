#include "maintenance/snapshot_expiry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/progress.h"

namespace firn::maintenance {
namespace {

using iceberg::Snapshot;
using iceberg::TableMetadata;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kNow = 1'000'000;
const Retention kRetention{.max_age_ms = 1'000, .min_snapshots = 1};

/// Snapshots 1 … n of main, each `age_ms` apart, the last of them now; firn's are those that `is_firns` says.
TableMetadata History(int64_t snapshots, int64_t age_ms, const std::function<bool(int64_t)>& is_firns) {
  TableMetadata metadata;
  for (int64_t id = 1; id <= snapshots; ++id) {
    Snapshot snapshot{.snapshot_id = id, .timestamp_ms = kNow - (snapshots - id) * age_ms};
    if (id > 1) snapshot.parent_snapshot_id = id - 1;
    if (is_firns(id)) snapshot.summary[pipeline::kLsnKey] = "0/1";
    metadata.snapshots.push_back(snapshot);
  }
  metadata.current_snapshot_id = snapshots;
  metadata.refs["main"] = {.snapshot_id = snapshots};
  return metadata;
}
TableMetadata History(int64_t snapshots, int64_t age_ms) {
  return History(snapshots, age_ms, [](int64_t) { return true; });
}

TEST(SnapshotExpiry, TakesWhatIsOlderThanTheRetention) {
  EXPECT_THAT(FindExpired(History(5, 500), kRetention, kNow).snapshots, ElementsAre(1, 2));
  EXPECT_THAT(FindExpired(History(5, 5'000), kRetention, kNow).snapshots, ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(FindExpired(History(5, 1), kRetention, kNow).snapshots, IsEmpty());
  EXPECT_TRUE(FindExpired(TableMetadata(), kRetention, kNow).empty());
}

TEST(SnapshotExpiry, KeepsAsManyAsWereAskedFor) {
  EXPECT_THAT(FindExpired(History(5, 5'000), {.max_age_ms = 1, .min_snapshots = 3}, kNow).snapshots, ElementsAre(1, 2));
}

TEST(SnapshotExpiry, TakesTheOldestBeyondTheMaximumHoweverYoung) {
  const Retention three{.max_age_ms = 1'000, .min_snapshots = 1, .max_snapshots = 3};
  EXPECT_THAT(FindExpired(History(5, 1), three, kNow).snapshots, ElementsAre(1, 2));
  EXPECT_THAT(FindExpired(History(3, 1), three, kNow).snapshots, IsEmpty());
  EXPECT_THAT(FindExpired(History(5, 900), three, kNow).snapshots, ElementsAre(1, 2, 3));  // By age.
  EXPECT_THAT(FindExpired(History(5, 1), {.max_age_ms = 1'000, .max_snapshots = 0}, kNow).snapshots, IsEmpty());
}

TEST(SnapshotExpiry, KeepsTheMinimumWhereTheMaximumIsLess) {
  TableMetadata metadata = History(6, 1);
  EXPECT_THAT(FindExpired(metadata, {.max_age_ms = 1'000, .min_snapshots = 4, .max_snapshots = 2}, kNow).snapshots,
              ElementsAre(1, 2));
  metadata.refs["main"].min_snapshots_to_keep = 5;
  EXPECT_THAT(FindExpired(metadata, {.max_age_ms = 1'000, .max_snapshots = 2}, kNow).snapshots, ElementsAre(1));
}

TEST(SnapshotExpiry, LeavesTheMaximumToTablesThatHaveNoAgeOfTheirOwn) {
  const Retention two{.max_age_ms = 1'000, .min_snapshots = 1, .max_snapshots = 2};
  TableMetadata metadata = History(5, 100);
  metadata.properties = {{"history.expire.max-snapshot-age-ms", "250"}};
  EXPECT_THAT(FindExpired(metadata, RetentionOf(metadata, two), kNow).snapshots, ElementsAre(1, 2));
  metadata.properties = {{"history.expire.max-snapshot-age-ms", "x"}, {"history.expire.min-snapshots-to-keep", "3"}};
  EXPECT_THAT(FindExpired(metadata, RetentionOf(metadata, two), kNow).snapshots, ElementsAre(1, 2));
  EXPECT_EQ(RetentionOf(metadata, two).max_snapshots, 2);
  metadata.refs["main"].max_snapshot_age_ms = 350;
  EXPECT_THAT(FindExpired(metadata, RetentionOf(metadata, two), kNow).snapshots, ElementsAre(1));
}

TEST(SnapshotExpiry, LeavesWhatTagsBranchesAndProgressNeedToThemWhateverTheMaximum) {
  const Retention one{.max_age_ms = 1'000, .min_snapshots = 1, .max_snapshots = 1};
  TableMetadata metadata = History(9, 1, [](int64_t id) { return id <= 7; });
  metadata.refs["audit"] = {.snapshot_id = 2, .is_branch = false};
  metadata.refs["branch"] = {.snapshot_id = 5, .min_snapshots_to_keep = 2, .max_snapshot_age_ms = 1};
  metadata.snapshots.push_back({.snapshot_id = 20, .timestamp_ms = kNow - 900});  // Of no branch.
  EXPECT_THAT(FindExpired(metadata, one, kNow).snapshots, ElementsAre(1, 3, 6));
  metadata.refs["branch"] = {.snapshot_id = 5};  // By age alone.
  EXPECT_THAT(FindExpired(metadata, one, kNow).snapshots, ElementsAre(6));
}

TEST(SnapshotExpiry, GoesByTheTablesOwnProperties) {
  TableMetadata metadata = History(5, 500);
  metadata.properties = {{"history.expire.max-snapshot-age-ms", "1700"}, {"history.expire.min-snapshots-to-keep", "x"}};
  const Retention retention = RetentionOf(metadata, kRetention);
  EXPECT_EQ(retention.max_age_ms, 1'700);
  EXPECT_EQ(retention.min_snapshots, 1);
  EXPECT_THAT(FindExpired(metadata, retention, kNow).snapshots, ElementsAre(1));
}

TEST(SnapshotExpiry, KeepsTheWayBackToFirnsLastCommit) {
  // Another writer's snapshots since: without the way back firn would not know how far it was.
  const TableMetadata metadata = History(6, 5'000, [](int64_t id) { return id <= 4; });
  EXPECT_THAT(FindExpired(metadata, kRetention, kNow).snapshots, ElementsAre(1, 2, 3));
}

TEST(SnapshotExpiry, KeepsWhatTagsAndBranchesNeed) {
  TableMetadata metadata = History(6, 5'000);
  metadata.refs["audit"] = {.snapshot_id = 2, .is_branch = false};
  metadata.refs["branch"] = {.snapshot_id = 4, .min_snapshots_to_keep = 2};
  EXPECT_THAT(FindExpired(metadata, kRetention, kNow).snapshots, ElementsAre(1, 5));
}

TEST(SnapshotExpiry, DropsRefsThatArePastTheirOwnAge) {
  TableMetadata metadata = History(3, 5'000);
  metadata.refs["old"] = {.snapshot_id = 1, .is_branch = false, .max_ref_age_ms = 9'999};
  metadata.refs["young"] = {.snapshot_id = 2, .is_branch = false, .max_ref_age_ms = 5'000};
  metadata.refs["main"].max_ref_age_ms = 0;
  const Expired expired = FindExpired(metadata, kRetention, kNow + 1'000'000);
  EXPECT_THAT(expired.refs, ElementsAre("old", "young"));
  EXPECT_THAT(FindExpired(metadata, kRetention, kNow).refs, ElementsAre("old"));
  EXPECT_THAT(FindExpired(metadata, kRetention, kNow).snapshots, ElementsAre(1));
}

TEST(SnapshotExpiry, LeavesYoungSnapshotsOfNoBranch) {
  TableMetadata metadata = History(2, 10);
  metadata.snapshots.push_back({.snapshot_id = 8, .timestamp_ms = kNow - 900});  // Staged, or rolled back.
  metadata.snapshots.push_back({.snapshot_id = 9, .timestamp_ms = kNow - 1'100});
  EXPECT_THAT(FindExpired(metadata, kRetention, kNow).snapshots, ElementsAre(9));
}

}  // namespace
}  // namespace firn::maintenance
