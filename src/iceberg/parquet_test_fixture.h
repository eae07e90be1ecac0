// For the tests of Parquet files: a folder of their own, and batches from JSON.
#pragma once

#include <arrow/array.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "iceberg/data_file_reader.h"
#include "iceberg/data_file_writer.h"
#include "storage/local_file_store.h"

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

class ParquetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "firn-parquet-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Location(const std::string& name) const { return "file://" + folder_ + "/" + name; }

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

  std::string folder_;
  std::unique_ptr<storage::FileStore> store_ = storage::MakeLocalFileStore({.fsync = false});
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
