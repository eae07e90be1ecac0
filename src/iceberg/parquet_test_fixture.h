// For the tests of Parquet files: a folder of their own, and batches from JSON.
#pragma once

#include <arrow/array.h>
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "iceberg/data_file_reader.h"
#include "iceberg/data_file_writer.h"
#include "iceberg/row_bytes.h"
#include "storage/local_file_store.h"
#include "testing/temporary_folder.h"

namespace firn::iceberg {

inline Field Column(FieldId id, std::string name, Type type, bool required = false) {
  return {.id = id, .name = std::move(name), .required = required, .type = std::move(type)};
}
inline Field Column(FieldId id, std::string name, TypeId type, bool required = false) {
  return Column(id, std::move(name), Type::Primitive(type), required);
}

/// A batch of ToArrowSchema(schema)'s columns, nullable throughout, from rows such as [[1, "a"], [2, null]].
inline std::shared_ptr<arrow::RecordBatch> Rows(const Schema& schema, const std::string& json) {
  arrow::FieldVector fields = ToArrowSchema(schema).value()->fields();
  for (auto& field : fields) field = field->WithNullable(true);
  const auto rows = arrow::json::ArrayFromJSONString(arrow::struct_(fields), json).ValueOrDie();
  return arrow::RecordBatch::FromStructArray(rows).ValueOrDie();
}

/// Rows by position as one batch; the error of reading them.
inline Result<std::shared_ptr<arrow::RecordBatch>> ReadRows(DataFileReader& reader,
                                                            const std::vector<int64_t>& positions) {
  arrow::RecordBatchVector parts;
  size_t rows = 0;
  const Status read = reader.ReadRows(positions, [&](const auto& part, size_t first) -> Status {
    EXPECT_TRUE(part->ValidateFull().ok()) << part->ValidateFull();
    EXPECT_EQ(first, rows);
    rows += static_cast<size_t>(part->num_rows());
    parts.push_back(part);
    return {};
  });
  if (!read) return std::unexpected(read.error());
  EXPECT_EQ(rows, positions.size());
  return arrow::ConcatenateRecordBatches(parts).ValueOrDie();
}

/// Rows of a number (field 1) and a text (field 2) of `text_bytes`, which begins with the number.
inline std::shared_ptr<arrow::RecordBatch> WideRows(const Schema& schema, int64_t first, int64_t count,
                                                    size_t text_bytes) {
  arrow::Int64Builder numbers;
  arrow::StringBuilder texts;
  for (int64_t i = first; i < first + count; ++i) {
    EXPECT_TRUE(numbers.Append(i).ok());
    std::string text = std::to_string(i);
    text.resize(text_bytes, 'x');
    EXPECT_TRUE(texts.Append(text).ok());
  }
  return arrow::RecordBatch::Make(ToArrowSchema(schema).value(), count, {*numbers.Finish(), *texts.Finish()});
}

/// Reads a file of WideRows, in order and by position, and looks at how large the parts are.
inline void ExpectBoundedParts(DataFileReader& reader, int64_t rows, size_t text_bytes) {
  int64_t next = 0, batches = 0;
  const auto check = [&](const arrow::RecordBatch& part, const std::function<int64_t(int64_t)>& row_of) {
    const auto& numbers = static_cast<const arrow::Int64Array&>(*part.column(0));
    const auto& texts = static_cast<const arrow::StringArray&>(*part.column(1));
    for (int64_t i = 0; i < part.num_rows(); ++i) {
      ASSERT_EQ(numbers.Value(i), row_of(next + i));
      ASSERT_EQ(texts.GetView(i).size(), text_bytes);
      ASSERT_TRUE(texts.GetView(i).starts_with(std::to_string(numbers.Value(i))));
    }
    EXPECT_LE(part.num_rows() * static_cast<int64_t>(text_bytes), 2 * kBatchBytes);
    next += part.num_rows();
    ++batches;
  };
  while (const auto batch = reader.Next().value()) check(*batch, [](int64_t row) { return row; });
  EXPECT_EQ(next, rows);
  EXPECT_GE(batches, rows * static_cast<int64_t>(text_bytes) / (2 * kBatchBytes));

  // Each third row, and the last one more often than a batch may hold.
  std::vector<int64_t> positions;
  for (int64_t row = 0; row < rows; row += 3) positions.push_back(row);
  for (int64_t bytes = 0; bytes < 4 * kBatchBytes; bytes += static_cast<int64_t>(text_bytes)) {
    positions.push_back(rows - 1);
  }
  next = batches = 0;
  const Status read = reader.ReadRows(positions, [&](const auto& part, size_t first) -> Status {
    EXPECT_EQ(first, static_cast<size_t>(next));
    check(*part, [&](int64_t i) { return positions[static_cast<size_t>(i)]; });
    return {};
  });
  EXPECT_TRUE(read.has_value()) << read.error().message();
  EXPECT_EQ(next, static_cast<int64_t>(positions.size()));
  EXPECT_GE(batches, 3);
}

class ParquetTest : public ::testing::Test {
 protected:
  std::string Location(const std::string& name) const { return folder_.url() + "/" + name; }

  DataFile Write(const std::string& name, const Schema& schema,
                 const std::vector<std::shared_ptr<arrow::RecordBatch>>& batches, const ParquetOptions& options = {}) {
    auto writer = DataFileWriter::Open(*store_, Location(name), schema, options).value();
    for (const auto& batch : batches) {
      const Status written = writer->Write(*batch);
      EXPECT_TRUE(written.has_value()) << written.error().message();
    }
    return writer->Close().value();
  }

  /// All rows of a file as one batch.
  std::shared_ptr<arrow::RecordBatch> Read(const std::string& location, const Schema& projection) {
    auto reader = DataFileReader::Open(*store_, DataFile{.file_path = location}, projection).value();
    std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
    while (auto batch = reader->Next().value()) {
      EXPECT_TRUE(batch->ValidateFull().ok()) << batch->ValidateFull();
      batches.push_back(batch);
    }
    if (batches.empty()) return arrow::RecordBatch::MakeEmpty(ToArrowSchema(projection).value()).ValueOrDie();
    return arrow::ConcatenateRecordBatches(batches).ValueOrDie();
  }

  const firn::testing::TemporaryFolder folder_;
  std::unique_ptr<storage::FileStore> store_ = storage::MakeLocalFileStore(storage::LocalSync::kNever);
};

/// Are the values the same, whatever the fields' names and nullability?
inline ::testing::AssertionResult SameRows(const arrow::RecordBatch& left, const arrow::RecordBatch& right) {
  if (left.num_columns() != right.num_columns() || left.num_rows() != right.num_rows()) {
    return ::testing::AssertionFailure() << left.ToString() << "\nagainst\n" << right.ToString();
  }
  for (int i = 0; i < left.num_columns(); ++i) {
    const auto options = arrow::EqualOptions::Defaults().nans_equal(true);
    if (!left.column(i)->Equals(right.column(i), options)) {
      return ::testing::AssertionFailure() << left.column(i)->ToString() << "\nagainst\n"
                                           << right.column(i)->ToString();
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace firn::iceberg
