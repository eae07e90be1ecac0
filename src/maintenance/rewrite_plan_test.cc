#include "maintenance/rewrite_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn::maintenance {
namespace {

using iceberg::LiveDataFile;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kMiB = 1 << 20;

struct FileOf {
  std::string path;
  int64_t bytes = 0;
  int64_t deleted_of_100_rows = 0;
  int64_t partition = 0;
  bool has_equality_deletes = false;
};

LiveDataFile Live(const FileOf& of) {
  LiveDataFile file;
  file.entry.file = {
      .file_path = of.path, .partition = {of.partition}, .record_count = 100, .file_size_in_bytes = of.bytes};
  if (of.deleted_of_100_rows > 0) {
    iceberg::ManifestEntry deletes;
    deletes.file = {.content = iceberg::FileContent::kPositionDeletes,
                    .record_count = of.deleted_of_100_rows,
                    .referenced_data_file = of.path};
    file.position_deletes.push_back(std::make_shared<const iceberg::ManifestEntry>(deletes));
  }
  if (of.has_equality_deletes) {
    iceberg::ManifestEntry deletes;
    deletes.file = {.content = iceberg::FileContent::kEqualityDeletes, .record_count = 1};
    file.equality_deletes.push_back(std::make_shared<const iceberg::ManifestEntry>(deletes));
  }
  return file;
}

/// The paths of each group.
std::vector<std::vector<std::string>> Plan(const std::vector<FileOf>& files, RewriteLimits limits = {}) {
  std::vector<LiveDataFile> live;
  for (const FileOf& file : files) live.push_back(Live(file));
  limits.target_file_size_bytes = 100 * kMiB;
  std::vector<std::vector<std::string>> plan;
  for (const RewriteGroup& group : PlanRewrites(std::move(live), limits)) {
    plan.emplace_back();
    for (const LiveDataFile& file : group.files) plan.back().push_back(file.entry.file.file_path);
  }
  return plan;
}

TEST(RewritePlan, GathersSmallFilesUpToTheTarget) {
  EXPECT_THAT(Plan({{"a", 60 * kMiB}, {"b", 30 * kMiB}, {"c", 30 * kMiB}, {"d", 20 * kMiB}, {"e", 10 * kMiB}}),
              ElementsAre(ElementsAre("c", "d", "e"), ElementsAre("a", "b")));
}

TEST(RewritePlan, LeavesAloneWhatIsWell) {
  EXPECT_THAT(Plan({}), IsEmpty());
  EXPECT_THAT(Plan({{"small, and nothing to join", kMiB}}), IsEmpty());
  EXPECT_THAT(Plan({{"a", 90 * kMiB}, {"b", 100 * kMiB}, {"few deletes", 100 * kMiB, 9}}), IsEmpty());
}

TEST(RewritePlan, LeavesLargerFilesToOtherPlans) {
  const std::vector<FileOf> files = {{"a", kMiB}, {"b", 2 * kMiB}, {"c", kMiB}, {"d", 2 * kMiB, 50}};
  EXPECT_THAT(Plan(files), ElementsAre(ElementsAre("a", "b", "c", "d")));
  EXPECT_THAT(Plan(files, {.file_bytes_max = kMiB}), ElementsAre(ElementsAre("a", "c")));
}

TEST(RewritePlan, RewritesFilesWithManyDeletesEvenAlone) {
  EXPECT_THAT(Plan({{"a", 100 * kMiB, 10}}), ElementsAre(ElementsAre("a")));
  EXPECT_THAT(Plan({{"a", 100 * kMiB, 0, 0, true}}), ElementsAre(ElementsAre("a")));
  EXPECT_THAT(Plan({{"small", kMiB, 1}}), ElementsAre(ElementsAre("small")));
}

TEST(RewritePlan, JoinsFilesOfOnePartitionOnly) {
  EXPECT_THAT(Plan({{"a", kMiB, 0, 1}, {"b", kMiB, 0, 2}}), IsEmpty());
  EXPECT_THAT(Plan({{"a", kMiB, 0, 1}, {"b", kMiB, 0, 2}, {"c", kMiB, 0, 1}}), ElementsAre(ElementsAre("a", "c")));
}

TEST(RewritePlan, WeighsWhatReadersSaveAgainstWhatIsWritten) {
  const RewriteLimits wary{.saved_ratio = 0.5};
  EXPECT_THAT(Plan({{"a", 40 * kMiB}, {"b", 40 * kMiB}}, wary), IsEmpty());
  EXPECT_THAT(Plan({{"a", kMiB}, {"b", kMiB}, {"c", 40 * kMiB, 50, 1}}, wary),
              ElementsAre(ElementsAre("a", "b"), ElementsAre("c")));
}

TEST(RewritePlan, JoinsFilesOfLikeSizesWhereItIsMadeAgainAndAgain) {
  RewriteLimits limits = ContinuousLimits(0);
  const FileOf large{"large", 70 * kMiB};
  std::vector<FileOf> files{large, {"a", kMiB}, {"b", kMiB}, {"c", kMiB}, {"d", kMiB}};
  EXPECT_THAT(Plan(files, limits), IsEmpty());  // Readers would hardly notice.
  files.push_back({"e", kMiB});
  EXPECT_THAT(Plan(files, limits), ElementsAre(ElementsAre("a", "b", "c", "d", "e")));
  files.push_back({"f", 26 * kMiB});
  EXPECT_THAT(Plan(files, limits), ElementsAre(ElementsAre("a", "b", "c", "d", "e")));
  files[6].bytes = 10 * kMiB;
  EXPECT_THAT(Plan(files, limits), ElementsAre(ElementsAre("a", "b", "c", "d", "e", "f")));
}

TEST(RewritePlan, RewritesNoFileForItsDeletesWhereItJoinsOnly) {
  const std::vector<FileOf> files = {{"a", 40, 50}, {"b", 10, 50}, {"c", 10}, {"d", 10}, {"e", 10}};
  RewriteLimits limits = ContinuousLimits(0);
  EXPECT_THAT(Plan(files, limits), ElementsAre(ElementsAre("a", "b", "c", "d", "e")));
  limits.joined_bytes_min = 0;
  limits.joins_only = true;
  EXPECT_THAT(Plan({{"a", 400, 50}, {"b", 10, 50}, {"c", 10}, {"d", 10}, {"e", 10}}, limits),
              ElementsAre(ElementsAre("b", "c", "d", "e")));
  EXPECT_THAT(Plan({{"a", 400, 50}, {"b", 10, 50}}, limits), IsEmpty());
}

TEST(RewritePlan, RewritesForDeletesWhatPaysOffWhereItIsMadeAgainAndAgain) {
  const RewriteLimits limits = ContinuousLimits(0);
  EXPECT_THAT(Plan({{"a", 100 * kMiB, 10}}, limits), IsEmpty());
  EXPECT_THAT(Plan({{"a", 100 * kMiB, 20}}, limits), ElementsAre(ElementsAre("a")));
  EXPECT_THAT(Plan({{"small", kMiB, 1}}, limits), ElementsAre(ElementsAre("small")));
}

TEST(RewritePlan, MakesSeveralFilesOfAGroupWhereRowsAreSorted) {
  const RewriteLimits sorted{.group_files_max = 2};
  EXPECT_THAT(Plan({{"a", 60 * kMiB}, {"b", 60 * kMiB}, {"c", 60 * kMiB}, {"d", 60 * kMiB}}, sorted),
              ElementsAre(ElementsAre("a", "b", "c")));
  // Two files would be two again.
  EXPECT_THAT(Plan({{"a", 60 * kMiB}, {"b", 60 * kMiB}}, sorted), IsEmpty());
  EXPECT_THAT(Plan({{"a", 60 * kMiB}, {"b", 40 * kMiB}}, sorted), ElementsAre(ElementsAre("a", "b")));
  EXPECT_THAT(Plan({{"a", 100 * kMiB}, {"b", 100 * kMiB}, {"c", kMiB}}, sorted), IsEmpty());
}

TEST(RewritePlan, WritesARowFewTimesHoweverOftenItIsMade) {
  const RewriteLimits limits = ContinuousLimits(100 * kMiB);
  std::vector<LiveDataFile> table;
  int64_t come = 0;
  int64_t written = 0;
  for (int round = 0; round < 500; ++round) {
    for (int i = 0; i < 20; ++i) {
      table.push_back(Live({"new " + std::to_string(round) + "." + std::to_string(i), 50 << 10}));
      table.back().entry.sequence_number = round;
      come += 50 << 10;
    }
    for (const RewriteGroup& group : PlanRewrites(table, limits)) {
      for (const LiveDataFile& file : group.files) {
        std::erase_if(table,
                      [&](const auto& other) { return other.entry.file.file_path == file.entry.file.file_path; });
      }
      table.push_back(Live({"joined " + std::to_string(written), group.bytes}));
      table.back().entry.sequence_number = round;
      written += group.bytes;
    }
  }
  EXPECT_LT(table.size(), 20U);
  EXPECT_LT(written, 20 * come);
}

}  // namespace
}  // namespace firn::maintenance
