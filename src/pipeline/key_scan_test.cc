#include "pipeline/key_scan.h"

#include <arrow/api.h>
#include <arrow/json/from_string.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "iceberg/data_file_writer.h"
#include "iceberg/position_deletes.h"
#include "iceberg/row_delta.h"
#include "testing/memory_file_store.h"

namespace firn::pipeline {
namespace {

using ::testing::ElementsAre;

using iceberg::Type;
using iceberg::TypeId;

std::shared_ptr<arrow::RecordBatch> Rows(const iceberg::Schema& schema, const std::string& json) {
  const auto rows =
      arrow::json::ArrayFromJSONString(arrow::struct_(iceberg::ToArrowSchema(schema).value()->fields()), json)
          .ValueOrDie();
  return arrow::RecordBatch::FromStructArray(rows).ValueOrDie();
}

/// A table (region, id, v) whose key is (region, id), with a file for each commit.
class KeyScanTest : public ::testing::Test {
 protected:
  void Commit(const iceberg::RowDelta& delta) {
    const auto request = iceberg::BuildRowDelta(store_, {{"public"}, "t"}, metadata_, delta, manifests_, 1).value();
    metadata_ = iceberg::ApplyUpdates(metadata_, "", request.updates, 1).value();
  }
  void Append(const std::string& name, const std::string& rows) {
    auto writer = iceberg::DataFileWriter::Open(store_, name, schema_, {}).value();
    ASSERT_TRUE(writer->Write(*Rows(schema_, rows)));
    files_[name] = writer->Close().value();
    Commit({.added_data_files = {files_[name]}});
  }
  void Delete(const std::string& name, uint64_t row) {
    iceberg::RowPositions positions;
    positions.add(row);
    Commit({.added_delete_files = {iceberg::WritePositionDeletes(store_, name + "-deletes", files_[name], positions,
                                                                 iceberg::Compression::kNone)
                                       .value()}});
  }
  std::vector<std::optional<RowPlace>> Find(const std::string& keys) {
    auto places = FindRowsByKey(store_, metadata_, manifests_, key_schema_, *Rows(key_schema_, keys));
    EXPECT_TRUE(places.has_value()) << places.error().message();
    return places.value_or(std::vector<std::optional<RowPlace>>());
  }

  const iceberg::Schema key_schema_{
      .fields = {{.id = 1, .name = "region", .required = true, .type = Type::Primitive(TypeId::kString)},
                 {.id = 2, .name = "id", .required = true, .type = Type::Primitive(TypeId::kLong)}}};
  const iceberg::Schema schema_{.fields = {key_schema_.fields[0],
                                           key_schema_.fields[1],
                                           {.id = 3, .name = "v", .type = Type::Primitive(TypeId::kLong)}}};
  testing::MemoryFileStore store_;
  iceberg::ManifestCache manifests_;
  std::map<std::string, iceberg::DataFile> files_;
  iceberg::TableMetadata metadata_ = iceberg::MakeTableMetadata({.schema = schema_, .location = "memory/t"}, 1).value();
};

TEST_F(KeyScanTest, FindsTheNewestRowOfEachKey) {
  Append("1", R"([["a", 1, 10], ["a", 2, 20]])");
  Append("2", R"([["b", 1, 30], ["a", 2, 21]])");
  Append("3", R"([["c", 5, 50]])");
  EXPECT_THAT(Find(R"([["a", 2], ["c", 5], ["x", 9], ["a", 1]])"),
              ElementsAre(RowPlace{"2", 1}, RowPlace{"3", 0}, std::nullopt, RowPlace{"1", 0}));
}

TEST_F(KeyScanTest, LooksPastRowsThatAreDeletedByPlace) {
  Append("1", R"([["a", 1, 10], ["a", 2, 20]])");
  Append("2", R"([["b", 1, 30], ["a", 2, 21]])");
  Delete("2", 1);
  EXPECT_THAT(Find(R"([["a", 2], ["b", 1]])"), ElementsAre(RowPlace{"1", 1}, RowPlace{"2", 0}));
  Delete("1", 1);
  EXPECT_THAT(Find(R"([["a", 2]])"), ElementsAre(std::nullopt));
}

TEST_F(KeyScanTest, ReadsOnlyFilesWhoseBoundsAllowAKey) {
  Append("1", R"([["a", 1, 10], ["b", 7, 20]])");
  Append("2", R"([["c", 1, 30], ["d", 7, 20]])");
  Append("3", R"([["a", 8, 30], ["d", 9, 20]])");
  const int before = store_.reads();
  EXPECT_THAT(Find(R"([["b", 7]])"), ElementsAre(RowPlace{"1", 1}));
  EXPECT_EQ(store_.reads(), before + 1);
  EXPECT_THAT(Find(R"([["e", 7]])"), ElementsAre(std::nullopt));
  EXPECT_EQ(store_.reads(), before + 1);
}

TEST_F(KeyScanTest, FindsNothingInATableWithoutRows) { EXPECT_THAT(Find(R"([["a", 1]])"), ElementsAre(std::nullopt)); }

}  // namespace
}  // namespace firn::pipeline
