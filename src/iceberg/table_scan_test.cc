#include "iceberg/table_scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "iceberg/deletion_vector.h"
#include "iceberg/parquet_test_fixture.h"
#include "iceberg/position_deletes.h"
#include "iceberg/reserved_fields.h"
#include "iceberg/table_update.h"

namespace firn::iceberg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Field kId = Column(1, "id", TypeId::kLong);
const Field kValue = Column(2, "v", TypeId::kString);
const Schema kRowSchema{.fields = {kId, kValue}};

/// A data file of the rows (id, v): (0, "a"), (1, "b"), (2, null), … at sequence number 5, with any deletes.
class TableScanTest : public ParquetTest {
 protected:
  void SetUp() override {
    ParquetTest::SetUp();
    NewTable table{.schema = kRowSchema, .location = folder_.url()};
    metadata_ = MakeTableMetadata(table, 0).value();
    live_.entry = {.sequence_number = 5,
                   .file = Write("data.parquet", kRowSchema,
                                 R"([[0, "a"], [1, "b"], [2, null], [3, "d"], [4, "e"], [5, null], [6, "g"]])")};
  }

  using ParquetTest::Write;
  DataFile Write(const std::string& name, const Schema& schema, const std::string& json) {
    return ParquetTest::Write(name, schema, {Rows(schema, json)});
  }

  void AddEqualityDeletes(const std::string& name, const Schema& schema, const std::string& json,
                          int64_t sequence_number, std::vector<int32_t> ids) {
    DataFile file = Write(name, schema, json);
    file.content = FileContent::kEqualityDeletes;
    file.equality_ids = std::move(ids);
    live_.equality_deletes.push_back(std::make_shared<const ManifestEntry>(
        ManifestEntry{.sequence_number = sequence_number, .file = std::move(file)}));
  }

  void AddPositionDeletes(DataFile file) {
    live_.position_deletes.push_back(
        std::make_shared<const ManifestEntry>(ManifestEntry{.sequence_number = 6, .file = std::move(file)}));
  }

  static RowPositions Positions(std::initializer_list<uint64_t> rows) {
    RowPositions positions;
    for (const uint64_t row : rows) positions.add(row);
    return positions;
  }

  std::vector<uint64_t> Deleted(size_t memory_max = DeletedRows::kMemoryMax) {
    DeletedRows deleted_rows(*store_, memory_max);
    const auto deleted = deleted_rows.Of(metadata_, live_);
    EXPECT_TRUE(deleted.has_value()) << deleted.error().message();
    std::vector<uint64_t> rows;
    for (const uint64_t row : deleted.value_or(RowPositions())) rows.push_back(row);
    return rows;
  }

  TableMetadata metadata_;
  LiveDataFile live_;
};

TEST_F(TableScanTest, HasNoDeletedRowsWithoutDeletes) { EXPECT_THAT(Deleted(), IsEmpty()); }

TEST_F(TableScanTest, DeletesByKeysWhereNullEqualsNull) {
  AddEqualityDeletes("1.parquet", {.fields = {kValue}}, R"([["b"], [null], ["x"]])", 6, {2});
  EXPECT_THAT(Deleted(), ElementsAre(1, 2, 5));
}

TEST_F(TableScanTest, DeletesWhereAllColumnsOfAKeyAreEqual) {
  AddEqualityDeletes("1.parquet", kRowSchema, R"([[0, "a"], [1, "a"], [5, null], [6, null]])", 6, {1, 2});
  EXPECT_THAT(Deleted(), ElementsAre(0, 5));
}

TEST_F(TableScanTest, LooksOnlyAtTheEqualityFieldsOfADeleteFile) {
  AddEqualityDeletes("1.parquet", kRowSchema, R"([[3, "other"]])", 6, {1});
  EXPECT_THAT(Deleted(), ElementsAre(3));
}

TEST_F(TableScanTest, AppliesSeveralFilesOfOneKeyAndOfOthers) {
  AddEqualityDeletes("1.parquet", {.fields = {kId}}, "[[0]]", 6, {1});
  AddEqualityDeletes("2.parquet", {.fields = {kId}}, "[[1]]", 7, {1});
  AddEqualityDeletes("3.parquet", {.fields = {kValue}}, R"([["g"]])", 7, {2});
  EXPECT_THAT(Deleted(), ElementsAre(0, 1, 6));
}

TEST_F(TableScanTest, KeepsApartDataFilesOfDifferentAges) {
  AddEqualityDeletes("1.parquet", {.fields = {kId}}, "[[0], [1]]", 6, {1});
  DeletedRows deleted_rows(*store_);
  EXPECT_EQ(deleted_rows.Of(metadata_, live_).value(), Positions({0, 1}));
  LiveDataFile younger = live_;
  younger.entry.sequence_number = 6;
  AddEqualityDeletes("2.parquet", {.fields = {kId}}, "[[1], [4]]", 7, {1});
  younger.equality_deletes = {live_.equality_deletes.back()};
  EXPECT_EQ(deleted_rows.Of(metadata_, younger).value(), Positions({1, 4}));
  EXPECT_EQ(deleted_rows.Of(metadata_, live_).value(), Positions({0, 1, 4}));
}

TEST_F(TableScanTest, FindsTheSameRowsWithLittleMemory) {
  AddEqualityDeletes("1.parquet", {.fields = {kId}}, "[[0], [3]]", 6, {1});
  AddEqualityDeletes("2.parquet", {.fields = {kId}}, "[[4], [6]]", 7, {1});
  EXPECT_THAT(Deleted(/*memory_max=*/1), ElementsAre(0, 3, 4, 6));
}

TEST_F(TableScanTest, AppliesKeysOfAColumnThatWasDropped) {
  AddEqualityDeletes("1.parquet", {.fields = {kValue}}, R"([["d"]])", 6, {2});
  metadata_.schemas.push_back({.schema_id = 1, .fields = {kId}});
  metadata_.current_schema_id = 1;
  EXPECT_THAT(Deleted(), ElementsAre(3));
}

TEST_F(TableScanTest, AppliesKeysOfAColumnThatIsWiderOrNewerThanTheData) {
  metadata_.schemas.push_back({.schema_id = 1, .fields = {kId, kValue, Column(3, "new", TypeId::kInt)}});
  metadata_.schemas.back().fields[2].initial_default = "7";
  metadata_.current_schema_id = 1;
  AddEqualityDeletes("1.parquet", {.fields = {Column(1, "id", TypeId::kInt), Column(3, "new", TypeId::kInt)}},
                     "[[0, 7], [1, null]]", 6, {1, 3});
  EXPECT_THAT(Deleted(), ElementsAre(0));
}

TEST_F(TableScanTest, AppliesKeysInsideOfStructs) {
  const Schema nested{
      .fields = {Column(7, "s", Type::Struct({Column(8, "x", TypeId::kInt), Column(9, "y", TypeId::kInt)}))}};
  metadata_.schemas.push_back(nested);
  metadata_.schemas.back().schema_id = 1;
  metadata_.current_schema_id = 1;
  live_.entry.file = Write("nested.parquet", nested, "[[[1, 1]], [[2, 2]], [[null, 3]], [null]]");
  AddEqualityDeletes("1.parquet", nested, "[[[2, 9]], [[null, 9]]]", 6, {8});
  EXPECT_THAT(Deleted(), ElementsAre(1, 2, 3));
}

TEST_F(TableScanTest, SaysWhichKeyTheTableDoesNotKnow) {
  AddEqualityDeletes("1.parquet", {.fields = {Column(77, "x", TypeId::kInt)}}, "[[1]]", 6, {77});
  DeletedRows deleted_rows(*store_);
  const auto deleted = deleted_rows.Of(metadata_, live_);
  ASSERT_FALSE(deleted.has_value());
  EXPECT_EQ(deleted.error().kind(), ErrorKind::kUnsupported);
  EXPECT_THAT(deleted.error().message(), HasSubstr("field 77"));
}

TEST_F(TableScanTest, MergesPositionDeletesOfEveryScope) {
  AddPositionDeletes(
      WritePositionDeletes(*store_, Location("1.parquet"), live_.entry.file, Positions({1}), Compression::kZstd)
          .value());
  // One of a whole partition, as other writers have it, with positions that no row has.
  const Schema schema{.fields = {Column(kDeletePathFieldId, "file_path", TypeId::kString),
                                 Column(kDeletePosFieldId, "pos", TypeId::kLong)}};
  const std::string& path = live_.entry.file.file_path;
  DataFile wide =
      Write("2.parquet", schema,
            fmt::format(R"([["another", 0], ["{}", 3], ["{}", 4], ["{}", 700], ["z", 6]])", path, path, path));
  wide.content = FileContent::kPositionDeletes;
  AddPositionDeletes(wide);
  AddEqualityDeletes("3.parquet", {.fields = {kId}}, "[[6]]", 6, {1});
  EXPECT_THAT(Deleted(), ElementsAre(1, 3, 4, 6));
}

TEST_F(TableScanTest, ReadsDeletionVectors) {
  AddPositionDeletes(WriteDeletionVector(*store_, Location("1.puffin"), live_.entry.file, Positions({0, 6})).value());
  EXPECT_THAT(Deleted(), ElementsAre(0, 6));
}

TEST_F(TableScanTest, GivesLiveRowsWithTheirPlaceAndLineage) {
  live_.entry.file.first_row_id = 100;
  const Schema projection{.fields = {FileField(), kValue, PosField(), RowIdField(), LastUpdatedField()}};
  auto reader = LiveRowReader::Open(*store_, metadata_, live_.entry, projection, Positions({0, 2, 3, 4, 5})).value();
  const auto live = reader->Next().value();
  ASSERT_TRUE(live.has_value());
  const std::string& path = live_.entry.file.file_path;
  EXPECT_TRUE(SameRows(
      *live->rows, *Rows(projection, fmt::format(R"([["{}", "b", 1, 101, 5], ["{}", "g", 6, 106, 5]])", path, path))));
  EXPECT_THAT(live->positions, ElementsAre(1, 6));
  EXPECT_FALSE(reader->Next().value().has_value());
}

TEST_F(TableScanTest, PrefersTheLineageThatAFileKeeps) {
  const Schema stored{.fields = {kId, RowIdField(), LastUpdatedField()}};
  live_.entry.file = Write("moved.parquet", stored, "[[0, 7, 2], [1, 8, null], [2, null, null]]");
  live_.entry.file.first_row_id = 100;
  auto reader = LiveRowReader::Open(*store_, metadata_, live_.entry, stored, {}).value();
  EXPECT_TRUE(SameRows(*reader->Next().value()->rows, *Rows(stored, "[[0, 7, 2], [1, 8, 5], [2, 102, 5]]")));
}

TEST_F(TableScanTest, HasNoRowIdsBeforeTheUpgradeToVersion3) {
  const Schema projection{.fields = {RowIdField(), LastUpdatedField()}};
  auto reader = LiveRowReader::Open(*store_, metadata_, live_.entry, projection, Positions({1, 2, 3, 4, 5})).value();
  EXPECT_TRUE(SameRows(*reader->Next().value()->rows, *Rows(projection, "[[null, 5], [null, 5]]")));
}

}  // namespace
}  // namespace firn::iceberg
