#include "pipeline/row_batch_reader.h"

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "encode/type_mapping.h"
#include "testing/results.h"
#include "testing/type_oids.h"

namespace firn::pipeline {
namespace {

using ::testing::HasSubstr;
using testing::kText;
using testing::Value;

/// Rows of one text column.
class ScriptedReader : public postgres::TableCopyReader {
 public:
  explicit ScriptedReader(std::vector<std::string> rows, std::optional<Error> error = std::nullopt)
      : rows_(std::move(rows)), error_(std::move(error)) {}

  Status Start(const postgres::CopyRequest&) override { return {}; }
  Result<std::span<const WireValue>> Next() override {
    if (read_ == rows_.size()) {
      if (error_) return *error_;
      return std::span<const WireValue>();
    }
    const std::string& row = rows_[read_];
    value_ = {.data = row.data(), .size = static_cast<int32_t>(row.size()), .format = WireFormat::kBinary};
    ++read_;
    return std::span<const WireValue>(&value_, 1);
  }
  int64_t bytes_received() const override { return 0; }
  size_t read() const { return read_; }

 private:
  const std::vector<std::string> rows_;
  const std::optional<Error> error_;
  std::atomic<size_t> read_ = 0;
  WireValue value_;
};

std::unique_ptr<encode::RowEncoder> TextEncoder() {
  const SourceTable table{.name = {"public", "t"},
                          .columns = {{.attnum = 1, .name = "c", .type_oid = kText, .type_name = "text"}}};
  return Value(encode::RowEncoder::Make(Value(encode::MapTable(table, {}))));
}

std::vector<std::string> Numbers(int count) {
  std::vector<std::string> rows;
  for (int i = 0; i < count; ++i) rows.push_back(std::to_string(i));
  return rows;
}

std::vector<std::string> ValuesOf(const encode::EncodedRows& rows) {
  const auto& column = static_cast<const arrow::StringArray&>(*rows.batch->column(0));
  std::vector<std::string> values;
  for (int64_t i = 0; i < column.length(); ++i) values.push_back(column.GetString(i));
  return values;
}

TEST(RowBatchReader, GivesAllRowsInOrder) {
  ScriptedReader rows(Numbers(1'000));
  RowBatchReader reader(rows, TextEncoder(), {.batch_rows = 7, .batch_bytes = 1 << 20, .ahead_bytes = 1 << 10});
  std::vector<std::string> seen;
  while (const auto batch = Value(reader.Next())) {
    EXPECT_LE(batch->batch->num_rows(), 7);
    for (std::string& value : ValuesOf(*batch)) seen.push_back(std::move(value));
  }
  EXPECT_EQ(seen, Numbers(1'000));
  EXPECT_FALSE(Value(reader.Next()));
}

TEST(RowBatchReader, GivesNothingOfATableWithoutRows) {
  ScriptedReader rows({});
  RowBatchReader reader(rows, TextEncoder(), {.batch_rows = 7, .batch_bytes = 1 << 20, .ahead_bytes = 1 << 20});
  EXPECT_FALSE(Value(reader.Next()));
}

TEST(RowBatchReader, AnErrorComesAfterTheBatchesBeforeIt) {
  ScriptedReader rows(Numbers(8), MakeError(ErrorKind::kTransient, "the server went away"));
  RowBatchReader reader(rows, TextEncoder(), {.batch_rows = 4, .batch_bytes = 1 << 20, .ahead_bytes = 1 << 20});
  EXPECT_EQ(ValuesOf(*Value(reader.Next())).front(), "0");
  EXPECT_EQ(ValuesOf(*Value(reader.Next())).front(), "4");
  const auto failed = reader.Next();
  ASSERT_FALSE(failed.has_value());
  EXPECT_THAT(failed.error().message(), HasSubstr("the server went away"));
}

TEST(RowBatchReader, DoesNotReadOnWhileLargeRowsAreInUse) {
  ScriptedReader rows(std::vector<std::string>(10, std::string(1 << 20, 'x')));
  RowBatchReader reader(rows, TextEncoder(), {.batch_rows = 1'000, .batch_bytes = 1 << 16, .ahead_bytes = 1 << 16});
  for (size_t given = 1; given <= 10; ++given) {
    ASSERT_TRUE(Value(reader.Next()));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // It would read on now.
    EXPECT_EQ(rows.read(), given);
  }
}

TEST(RowBatchReader, EndsBeforeAllWasTaken) {
  ScriptedReader rows(Numbers(1'000));
  {
    RowBatchReader reader(rows, TextEncoder(), {.batch_rows = 1, .batch_bytes = 1 << 20, .ahead_bytes = 1});
    ASSERT_TRUE(Value(reader.Next()));
  }
  EXPECT_LT(rows.read(), 1'000u);
}

}  // namespace
}  // namespace firn::pipeline
