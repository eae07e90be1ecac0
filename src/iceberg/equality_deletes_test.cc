#include "iceberg/equality_deletes.h"

#include <arrow/util/key_value_metadata.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include "iceberg/parquet_test_fixture.h"
#include "iceberg/table_update.h"

namespace firn::iceberg {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

using EqualityDeletesTest = ParquetTest;

TEST_F(EqualityDeletesTest, HoldsTheKeysAndSaysWhichColumnsTheyAre) {
  const Schema keys{.fields = {{.id = 2, .name = "cat", .type = Type::Primitive(TypeId::kString)},
                               {.id = 3, .name = "n", .required = true, .type = Type::Primitive(TypeId::kLong)}}};
  auto writer = EqualityDeleteWriter::Open(*store_, Location("e.parquet"), keys, {});
  ASSERT_TRUE(writer->Write(*Rows(keys, R"([["c0", 7], ["c1", 9]])")));
  ASSERT_TRUE(writer->Write(*Rows(keys, R"([["c2", 8]])")));
  const DataFile file = writer->Close(4).value();
  EXPECT_EQ(file.content, FileContent::kEqualityDeletes);
  EXPECT_THAT(file.equality_ids, ElementsAre(2, 3));
  EXPECT_EQ(file.partition_spec_id, 4);
  EXPECT_TRUE(file.partition.empty());
  EXPECT_EQ(file.record_count, 3);
  EXPECT_EQ(file.sort_order_id, 0);
  EXPECT_THAT(file.value_counts, ElementsAre(Pair(2, 3), Pair(3, 3)));
  EXPECT_EQ(file.lower_bounds.at(2), "c0");
  EXPECT_EQ(file.upper_bounds.at(2), "c2");
  EXPECT_TRUE(SameRows(*Read(Location("e.parquet"), keys), *Rows(keys, R"([["c0", 7], ["c1", 9], ["c2", 8]])")));
  const auto input = store_->OpenInput(Location("e.parquet")).value();
  const auto reader = parquet::ParquetFileReader::Open(input);
  const auto footer = reader->metadata()->key_value_metadata();
  EXPECT_EQ(footer->Get("delete-type").ValueOrDie(), "equality");
  EXPECT_EQ(footer->Get("delete-field-ids").ValueOrDie(), "2, 3");
}

TEST(UnpartitionedSpec, IsTheOneWithoutFields) {
  NewTable table{.schema = {.fields = {{.id = 1, .name = "c", .type = Type::Primitive(TypeId::kString)}}},
                 .spec = {.fields = {{.source_id = 1, .field_id = 1000, .name = "c"}}}};
  TableMetadata metadata = MakeTableMetadata(table, 1).value();
  EXPECT_EQ(FindUnpartitionedSpec(metadata), std::nullopt);
  metadata = ApplyUpdates(metadata, "", {AddPartitionSpec{}}, 2).value();
  EXPECT_EQ(FindUnpartitionedSpec(metadata), 1);
  EXPECT_EQ(metadata.default_spec_id, 0);
}

}  // namespace
}  // namespace firn::iceberg
