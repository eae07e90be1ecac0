#include "pipeline/write_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn::pipeline {
namespace {

using ::testing::ElementsAre;

constexpr iceberg::FieldId kLsn = 3, kOperation = 4;

std::string Long(int64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  return bytes;
}

WrittenFile File(const char* path, int64_t sequence_number, int64_t lowest, int64_t highest, int32_t partition = 0,
                 const char* operation = "update") {
  WrittenFile written{.sequence_number = sequence_number};
  written.file.file_path = path;
  written.file.partition = {partition};
  written.file.lower_bounds = {{kLsn, Long(lowest)}, {kOperation, operation}};
  written.file.upper_bounds = {{kLsn, Long(highest)}, {kOperation, operation}};
  return written;
}

std::vector<std::string> Paths(const WrittenFiles& group) {
  std::vector<std::string> paths;
  for (const WrittenFile& file : group.files) paths.push_back(file.file.file_path);
  return paths;
}

TEST(WriteOrder, PutsCommitsInTheOrderOfTheirLsns) {
  const auto groups =
      InWriteOrder({File("b", 2, 300, 700), File("c", 3, 701, 900), File("a", 1, 5, 299)}, kLsn, kOperation);
  ASSERT_EQ(groups.size(), 3U);
  EXPECT_THAT(Paths(groups[0]), ElementsAre("a"));
  EXPECT_THAT(Paths(groups[2]), ElementsAre("c"));
  EXPECT_FALSE(groups[0].interleaved);
}

TEST(WriteOrder, PutsAFileThatWasMergedFromEarlierOnesBeforeLaterChanges) {
  const auto groups = InWriteOrder({File("later", 4, 700, 900), File("merged", 9, 5, 600)}, kLsn, kOperation);
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_THAT(Paths(groups[0]), ElementsAre("merged"));
}

TEST(WriteOrder, AFileThatWasMergedOfThoseAroundAnotherInterleavesWithIt) {
  const auto groups = InWriteOrder({File("between", 2, 300, 400), File("merged", 9, 5, 900)}, kLsn, kOperation);
  ASSERT_EQ(groups.size(), 1U);
  EXPECT_TRUE(groups[0].interleaved);
}

TEST(WriteOrder, FilesOfOneCommitAndPartitionAreInOrder) {
  const auto groups = InWriteOrder({File("x-00002", 2, 400, 400), File("x-00001", 2, 400, 400)}, kLsn, kOperation);
  ASSERT_EQ(groups.size(), 1U);
  EXPECT_THAT(Paths(groups[0]), ElementsAre("x-00001", "x-00002"));
  EXPECT_FALSE(groups[0].interleaved);
}

TEST(WriteOrder, PartitionsOfOneCommitInterleave) {
  const auto groups =
      InWriteOrder({File("a", 2, 400, 500, 1), File("b", 2, 450, 470, 2), File("c", 3, 501, 502, 1)}, kLsn, kOperation);
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_TRUE(groups[0].interleaved);
  EXPECT_FALSE(groups[1].interleaved);
}

TEST(WriteOrder, CopiedRowsHaveNoOrderToFind) {
  const auto groups =
      InWriteOrder({File("a", 1, 400, 400, 1, "copy"), File("b", 1, 400, 400, 2, "copy"), File("c", 2, 400, 500, 1)},
                   kLsn, kOperation);
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_FALSE(groups[0].interleaved);
  EXPECT_THAT(Paths(groups[1]), ElementsAre("c"));
}

}  // namespace
}  // namespace firn::pipeline
