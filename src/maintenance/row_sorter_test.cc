#include "maintenance/row_sorter.h"

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <random>
#include <string>

#include "iceberg/row_bytes.h"
#include "testing/results.h"

namespace firn::maintenance {
namespace {

using iceberg::Type;
using iceberg::TypeId;
using testing::Do;
using testing::Value;

const iceberg::Schema kSchema{
    .fields = {{.id = 1, .name = "group", .type = Type::Primitive(TypeId::kInt)},
               {.id = 2, .name = "text", .type = Type::Primitive(TypeId::kString)},
               {.id = 3,
                .name = "list",
                .type = Type::List({.id = 4, .name = "element", .type = Type::Primitive(TypeId::kLong)})}}};

struct Row {
  int32_t group = 0;
  std::string text;
  bool operator==(const Row&) const = default;
};

/// Sorts rows by their group alone.
class RowSorterTest : public ::testing::Test {
 protected:
  RowSorterTest() { std::filesystem::remove_all(folder_); }
  ~RowSorterTest() override { std::filesystem::remove_all(folder_); }

  static iceberg::RowOrder Order() {
    return Value(iceberg::RowOrder::Make(kSchema, {}, {.order_id = 1, .fields = {{.source_id = 1}}}));
  }

  std::unique_ptr<RowSorter> Make(int64_t memory_bytes) {
    return std::make_unique<RowSorter>(
        Order(), RowSorterOptions{.folder = folder_, .memory_bytes = memory_bytes, .memory = memory_});
  }

  void Add(RowSorter& sorter, const std::vector<Row>& rows) {
    arrow::Int32Builder groups;
    arrow::StringBuilder texts;
    auto numbers = std::make_shared<arrow::Int64Builder>();
    const auto schema = Value(iceberg::ToArrowSchema(kSchema));
    arrow::ListBuilder lists(arrow::default_memory_pool(), numbers, schema->field(2)->type());
    std::vector<int64_t> origins;
    for (const Row& row : rows) {
      ASSERT_TRUE(groups.Append(row.group).ok() && texts.Append(row.text).ok());
      ASSERT_TRUE(lists.Append().ok() && numbers->Append(row.group).ok());
      origins.push_back(static_cast<int64_t>(rows_.size()));
      rows_.push_back(row);
    }
    const auto batch = arrow::RecordBatch::Make(
        schema, std::ssize(rows),
        {groups.Finish().ValueOrDie(), texts.Finish().ValueOrDie(), lists.Finish().ValueOrDie()});
    Do(sorter.Add(*batch, origins));
  }

  /// All rows that were added, in order, of equal ones the earlier first.
  void ExpectSorted(RowSorter& sorter) {
    std::vector<int64_t> expected(rows_.size());
    for (size_t i = 0; i < expected.size(); ++i) expected[i] = static_cast<int64_t>(i);
    std::ranges::stable_sort(expected, {}, [&](int64_t i) { return rows_[static_cast<size_t>(i)].group; });
    std::vector<int64_t> found;
    const auto sink = [&](const std::shared_ptr<arrow::RecordBatch>& batch,
                          std::span<const int64_t> origins) -> Status {
      EXPECT_TRUE(batch->ValidateFull().ok());
      EXPECT_EQ(batch->num_columns(), 3);
      EXPECT_EQ(static_cast<size_t>(batch->num_rows()), origins.size());
      const auto& groups = static_cast<const arrow::Int32Array&>(*batch->column(0));
      const auto& texts = static_cast<const arrow::StringArray&>(*batch->column(1));
      int64_t bytes = 0;
      for (int64_t i = 0; i < batch->num_rows(); ++i) {
        bytes += iceberg::RowBytes(*batch, i);
        const Row& row = rows_[static_cast<size_t>(origins[static_cast<size_t>(i)])];
        EXPECT_TRUE((Row{groups.Value(i), texts.GetString(i)} == row));
        found.push_back(origins[static_cast<size_t>(i)]);
      }
      if (batch->num_rows() > 1) largest_batch_ = std::max(largest_batch_, bytes);
      return {};
    };
    Do(sorter.Finish(sink, {}));
    EXPECT_EQ(found, expected);
    EXPECT_EQ(memory_->held(), 0);
    EXPECT_TRUE(!std::filesystem::exists(folder_) || std::filesystem::is_empty(folder_));
  }

  std::vector<Row> RandomRows(size_t count, size_t text_bytes) {
    std::vector<Row> rows;
    for (size_t i = 0; i < count; ++i) {
      std::string text(dice_() % (2 * text_bytes), ' ');
      for (char& letter : text) letter = static_cast<char>('a' + dice_() % 26);
      rows.push_back({.group = static_cast<int32_t>(dice_() % 1000), .text = std::move(text)});
    }
    return rows;
  }

  const std::string folder_ = ::testing::TempDir() + "/row_sorter_test";
  std::shared_ptr<pipeline::RowMemory> memory_ =
      std::make_shared<pipeline::RowMemory>(std::numeric_limits<int64_t>::max());
  std::vector<Row> rows_;
  std::mt19937 dice_{7};
  int64_t largest_batch_ = 0;
};

TEST_F(RowSorterTest, SortsInMemory) {
  const auto sorter = Make(64 << 20);
  ExpectSorted(*Make(64 << 20));
  for (int i = 0; i < 20; ++i) Add(*sorter, RandomRows(static_cast<size_t>(i) * 10, 20));
  ExpectSorted(*sorter);
  EXPECT_EQ(sorter->runs_written(), 0);
  EXPECT_FALSE(std::filesystem::exists(folder_));
}

TEST_F(RowSorterTest, SortsByWayOfAFile) {
  constexpr int64_t kMemory = 1 << 20;
  const auto sorter = Make(kMemory);
  for (int i = 0; i < 40; ++i) {
    Add(*sorter, RandomRows(1'000, 100));
    EXPECT_LT(memory_->held(), 2 * kMemory);
  }
  ExpectSorted(*sorter);
  EXPECT_GT(sorter->runs_written(), 3);
  EXPECT_LT(largest_batch_, 2 * kMemory);
}

/// A batch of each run is more than the memory: runs are merged in several rounds.
TEST_F(RowSorterTest, SortsLargeRows) {
  constexpr int64_t kMemory = 256 << 10;
  const auto sorter = Make(kMemory);
  for (int i = 0; i < 60; ++i) Add(*sorter, RandomRows(2, 100 << 10));
  ExpectSorted(*sorter);
  EXPECT_GT(sorter->runs_written(), 30 + 10);
  EXPECT_LT(largest_batch_, 3 * kMemory);
}

TEST_F(RowSorterTest, LeavesNothingWhenItIsStopped) {
  std::stop_source stop;
  {
    const auto sorter = Make(64 << 10);
    for (int i = 0; i < 10; ++i) Add(*sorter, RandomRows(1'000, 100));
    stop.request_stop();
    const auto sink = [](const auto&, std::span<const int64_t>) -> Status { return {}; };
    const Status done = sorter->Finish(sink, stop.get_token());
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(done.error().kind(), ErrorKind::kCancelled);
  }
  EXPECT_EQ(memory_->held(), 0);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(RowSorterTest, SaysWhereItCantWrite) {
  const RowSorterOptions options{.folder = "/proc/firn", .memory_bytes = 1};
  RowSorter sorter(Order(), options);
  const auto batch = arrow::RecordBatch::Make(
      Value(iceberg::ToArrowSchema(kSchema)), 1,
      {arrow::MakeArrayOfNull(arrow::int32(), 1).ValueOrDie(), arrow::MakeArrayOfNull(arrow::utf8(), 1).ValueOrDie(),
       arrow::MakeArrayOfNull(Value(iceberg::ToArrowSchema(kSchema))->field(2)->type(), 1).ValueOrDie()});
  const std::vector<int64_t> origins = {0};
  const Status added = sorter.Add(*batch, origins);
  ASSERT_FALSE(added.has_value());
  EXPECT_THAT(added.error().message(), ::testing::HasSubstr("/proc/firn"));
  EXPECT_THAT(added.error().message(), ::testing::HasSubstr("state_dir"));
}

}  // namespace
}  // namespace firn::maintenance
