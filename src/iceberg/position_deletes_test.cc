#include "iceberg/position_deletes.h"

#include <arrow/util/key_value_metadata.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include "iceberg/parquet_test_fixture.h"

namespace firn::iceberg {
namespace {

using namespace std::string_literals;
using ::testing::IsEmpty;

constexpr FieldId kFilePathId = 2147483546;
constexpr FieldId kPosId = 2147483545;

class PositionDeletesTest : public ParquetTest {
 protected:
  const DataFile data_file_{
      .file_path = "file:///lake/shop/orders/data/created_day=2024-01-01/00000-0-0123456789.parquet",
      .partition_spec_id = 3,
      .partition = {int32_t{19723}},
      .record_count = 1'000'000};
};

TEST_F(PositionDeletesTest, ReadsBackTheDeletedPositions) {
  RowPositions positions;
  for (uint64_t i = 0; i < 200'000; i += 3) positions.add(i);
  positions.add(uint64_t{1} << 33);
  const DataFile file =
      WritePositionDeletes(*store_, Location("d.parquet"), data_file_, positions, Compression::kZstd).value();
  EXPECT_EQ(file.record_count, static_cast<int64_t>(positions.cardinality()));
  EXPECT_EQ(file.content, FileContent::kPositionDeletes);
  EXPECT_EQ(file.partition_spec_id, 3);
  EXPECT_EQ(file.partition, data_file_.partition);
  EXPECT_EQ(file.referenced_data_file, data_file_.file_path);
  EXPECT_EQ(file.sort_order_id, std::nullopt);
  EXPECT_EQ(ReadPositionDeletes(*store_, file, data_file_.file_path).value(), positions);
}

TEST_F(PositionDeletesTest, GivesTheWholePathAsBoundsAndNoCounts) {
  RowPositions positions;
  positions.add(uint64_t{5});
  positions.add(uint64_t{9});
  const DataFile file =
      WritePositionDeletes(*store_, Location("d.parquet"), data_file_, positions, Compression::kZstd).value();
  EXPECT_EQ(file.lower_bounds.at(kFilePathId), data_file_.file_path);
  EXPECT_EQ(file.upper_bounds.at(kFilePathId), data_file_.file_path);
  EXPECT_EQ(file.lower_bounds.at(kPosId), "\x05\0\0\0\0\0\0\0"s);
  EXPECT_EQ(file.upper_bounds.at(kPosId), "\x09\0\0\0\0\0\0\0"s);
  EXPECT_THAT(file.value_counts, IsEmpty());
  EXPECT_THAT(file.null_value_counts, IsEmpty());
}

TEST_F(PositionDeletesTest, SaysInTheFooterWhatItIs) {
  RowPositions positions;
  positions.add(uint64_t{5});
  ASSERT_TRUE(WritePositionDeletes(*store_, Location("d.parquet"), data_file_, positions, Compression::kZstd));
  const auto reader = parquet::ParquetFileReader::Open(store_->OpenInput(Location("d.parquet")).value());
  EXPECT_EQ(reader->metadata()->key_value_metadata()->Get("delete-type").ValueOrDie(), "position");
}

// Other writers gather the deletes of several data files in one.
TEST_F(PositionDeletesTest, ReadsThePositionsOfOneDataFileAmongSeveral) {
  const Schema schema{
      .fields = {Column(kFilePathId, "file_path", TypeId::kString, true), Column(kPosId, "pos", TypeId::kLong, true)}};
  DataFile file = Write("d.parquet", schema, {Rows(schema, R"([["a", 1], ["a", 4], ["b", 2], ["b", 7]])")});
  const RowPositions positions = ReadPositionDeletes(*store_, file, "b").value();
  EXPECT_EQ(positions, RowPositions::bitmapOf(2, uint64_t{2}, uint64_t{7}));
  EXPECT_TRUE(ReadPositionDeletes(*store_, file, "c").value().isEmpty());
}

TEST_F(PositionDeletesTest, RefusesNegativePositions) {
  const Schema schema{
      .fields = {Column(kFilePathId, "file_path", TypeId::kString, true), Column(kPosId, "pos", TypeId::kLong, true)}};
  const DataFile file = Write("d.parquet", schema, {Rows(schema, R"([["a", -1]])")});
  EXPECT_EQ(ReadPositionDeletes(*store_, file, "a").error().kind(), ErrorKind::kCorrupt);
}

TEST_F(PositionDeletesTest, RefusesToWriteNothing) {
  EXPECT_FALSE(WritePositionDeletes(*store_, Location("d.parquet"), data_file_, {}, Compression::kZstd).has_value());
}

}  // namespace
}  // namespace firn::iceberg
