#include "iceberg/data_file_writer.h"

#include <arrow/io/interfaces.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/column_page.h>
#include <parquet/column_reader.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>

#include <limits>
#include <sstream>

#include "iceberg/parquet_test_fixture.h"

namespace firn::iceberg {
namespace {

using namespace std::string_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

Schema EveryType() {
  return {
      .fields = {
          Column(1, "id", TypeId::kLong, true),
          Column(2, "flag", TypeId::kBoolean),
          Column(3, "int", TypeId::kInt),
          Column(4, "float", TypeId::kFloat),
          Column(5, "double", TypeId::kDouble),
          Column(6, "d4", Type::Decimal(4, 1)),
          Column(7, "d18", Type::Decimal(18, 2)),
          Column(8, "d38", Type::Decimal(38, 10)),
          Column(9, "date", TypeId::kDate),
          Column(10, "time", TypeId::kTime),
          Column(11, "ts", TypeId::kTimestamp),
          Column(12, "tz", TypeId::kTimestampTz),
          Column(13, "string", TypeId::kString),
          Column(14, "uuid", TypeId::kUuid),
          Column(15, "fixed", Type::Fixed(4)),
          Column(16, "binary", TypeId::kBinary),
          Column(17, "list", Type::List(Column(18, "element", TypeId::kInt))),
          Column(19, "map", Type::Map(Column(20, "key", TypeId::kString, true), Column(21, "value", TypeId::kDouble))),
          Column(22, "struct", Type::Struct({Column(23, "x", TypeId::kInt, true), Column(24, "y", TypeId::kUuid)})),
      }};
}

std::shared_ptr<arrow::RecordBatch> EveryTypeRows() {
  return Rows(EveryType(), R"([
    [1, true, -5, 1.5, -2.5, "14.2", "-1234567890123456.78", "-12345678901234567890.0123456789", -1, 45296789000,
     1700000000000000, 1510871468000000, "grün", "0123456789abcdef", "abcd", "bytes", [1, null, 3], [["a", 1.5], ["b", null]],
     [7, "fedcba9876543210"]],
    [2, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null],
    [3, false, 9, 0.5, 2.5, "-0.1", "0.01", "1.0000000000", 19000, 0, -1, 1, "", "ffffffffffffffff", "abce", "", [], [],
     [8, null]]])");
}

std::string ParquetSchemaOf(storage::FileStore& store, const std::string& location) {
  const auto file = parquet::ParquetFileReader::Open(store.OpenInput(location).value());
  std::stringstream text;
  parquet::schema::PrintSchema(file->metadata()->schema()->schema_root().get(), text);
  return text.str();
}

using DataFileWriterTest = ParquetTest;

TEST_F(DataFileWriterTest, WritesEveryTypeSoThatItReadsBack) {
  const auto rows = EveryTypeRows();
  const DataFile file = Write("x.parquet", EveryType(), {rows});
  EXPECT_EQ(file.record_count, 3);
  EXPECT_EQ(file.file_path, Location("x.parquet"));
  EXPECT_EQ(file.file_size_in_bytes, store_->Stat(file.file_path).value().size);
  EXPECT_TRUE(SameRows(*Read(file.file_path, EveryType()), *rows));
}

/// The variants true, NULL and 1, as struct arrays.
Schema Variants() { return {.fields = {Column(1, "id", TypeId::kLong, true), Column(2, "v", TypeId::kVariant)}}; }
std::shared_ptr<arrow::RecordBatch> VariantRows() {
  return Rows(Variants(),
              R"([[1, ["\u0001\u0000\u0000", "\u0004"]], [2, null], [3, ["\u0001\u0000\u0000", "\u000c\u0001"]]])");
}

TEST_F(DataFileWriterTest, WritesVariantsAsTheSpecMapsThem) {
  const DataFile file = Write("x.parquet", Variants(), {VariantRows()});
  const std::string schema = ParquetSchemaOf(*store_, file.file_path);
  EXPECT_THAT(schema, HasSubstr("optional group field_id=2 v (Variant(1)) {\n"
                                "    required binary field_id=-1 metadata;\n"
                                "    required binary field_id=-1 value;\n"));
  EXPECT_TRUE(SameRows(*Read(file.file_path, Variants()), *VariantRows()));
}

TEST_F(DataFileWriterTest, CountsVariantsButGivesThemNoBounds) {
  const DataFile file = Write("x.parquet", Variants(), {VariantRows()});
  EXPECT_THAT(file.value_counts, ElementsAre(Pair(1, 3), Pair(2, 3)));
  EXPECT_THAT(file.null_value_counts, ElementsAre(Pair(1, 0), Pair(2, 1)));
  EXPECT_EQ(file.lower_bounds.size(), 1u);
  EXPECT_EQ(file.upper_bounds.size(), 1u);
  EXPECT_EQ(file.column_sizes.size(), 1u);
}

TEST_F(DataFileWriterTest, WritesColumnsAsTheSpecMapsThem) {
  const DataFile file = Write("x.parquet", EveryType(), {EveryTypeRows()});
  const std::string schema = ParquetSchemaOf(*store_, file.file_path);
  for (const char* column : {
           "required int64 field_id=1 id;",
           "optional boolean field_id=2 flag;",
           "optional int32 field_id=6 d4 (Decimal(precision=4, scale=1));",
           "optional int64 field_id=7 d18 (Decimal(precision=18, scale=2));",
           "optional fixed_len_byte_array(16) field_id=8 d38 (Decimal(precision=38, scale=10));",
           "optional int32 field_id=9 date (Date);",
           "optional int64 field_id=10 time (Time(isAdjustedToUTC=false, timeUnit=microseconds));",
           "field_id=11 ts (Timestamp(isAdjustedToUTC=false, timeUnit=microseconds",
           "field_id=12 tz (Timestamp(isAdjustedToUTC=true, timeUnit=microseconds",
           "optional binary field_id=13 string (String);",
           "optional fixed_len_byte_array(16) field_id=14 uuid (UUID);",
           "optional fixed_len_byte_array(4) field_id=15 fixed;",
           "optional binary field_id=16 binary;",
           "optional group field_id=17 list (List) {",
           "optional int32 field_id=18 element;",
           "optional group field_id=19 map (Map) {",
           "required binary field_id=20 key (String);",
           "required int32 field_id=23 x;",
       }) {
    EXPECT_THAT(schema, HasSubstr(column));
  }
}

// The bounds of the same values in a file of Java's.
TEST_F(DataFileWriterTest, GivesBoundsAsSingleValues) {
  const DataFile file = Write("x.parquet", EveryType(), {EveryTypeRows()});
  EXPECT_EQ(file.lower_bounds.at(1), "\x01\x00\x00\x00\x00\x00\x00\x00"s);
  EXPECT_EQ(file.upper_bounds.at(1), "\x03\x00\x00\x00\x00\x00\x00\x00"s);
  EXPECT_EQ(file.lower_bounds.at(2), "\x00"s);
  EXPECT_EQ(file.upper_bounds.at(2), "\x01"s);
  EXPECT_EQ(file.lower_bounds.at(3), "\xFB\xFF\xFF\xFF"s);
  EXPECT_EQ(file.lower_bounds.at(4), "\x00\x00\x00\x3F"s);
  EXPECT_EQ(file.lower_bounds.at(6), "\xFF"s);
  EXPECT_EQ(file.upper_bounds.at(6), "\x00\x8E"s);
  EXPECT_EQ(file.upper_bounds.at(7), "\x01"s);
  EXPECT_EQ(file.lower_bounds.at(8), "\xFE\x71\x16\xF0\x09\x3C\x8C\x1F\x11\xF3\xFB\x2A\xEB"s);
  EXPECT_EQ(file.upper_bounds.at(8), "\x02\x54\x0B\xE4\x00"s);
  EXPECT_EQ(file.lower_bounds.at(9), "\xFF\xFF\xFF\xFF"s);
  EXPECT_EQ(file.upper_bounds.at(10), "\x08\x26\xE6\x8B\x0A\x00\x00\x00"s);
  EXPECT_EQ(file.upper_bounds.at(12), "\x00\xC3\x26\x2D\x21\x5E\x05\x00"s);
  EXPECT_EQ(file.lower_bounds.at(13), "");
  EXPECT_EQ(file.upper_bounds.at(13), "grün");
  EXPECT_EQ(file.upper_bounds.at(15), "abce");
  EXPECT_EQ(file.lower_bounds.at(23), "\x07\x00\x00\x00"s);
  for (const FieldId repeated : {18, 20, 21}) {
    EXPECT_FALSE(file.lower_bounds.contains(repeated));
    EXPECT_FALSE(file.upper_bounds.contains(repeated));
  }
}

TEST_F(DataFileWriterTest, CountsValuesAndNullsOfEveryLeaf) {
  const DataFile file = Write("x.parquet", EveryType(), {EveryTypeRows()});
  EXPECT_EQ(file.value_counts.at(1), 3);
  EXPECT_EQ(file.null_value_counts.at(1), 0);
  EXPECT_EQ(file.null_value_counts.at(13), 1);
  EXPECT_EQ(file.value_counts.at(18), 5);  // 1, null, 3, and one for each list that holds nothing
  EXPECT_EQ(file.null_value_counts.at(23), 1);
  EXPECT_FALSE(file.value_counts.contains(17));
  EXPECT_THAT(file.nan_value_counts, ElementsAre(Pair(4, 0), Pair(5, 0), Pair(21, 0)));
  EXPECT_EQ(file.column_sizes.size(), 21u);
  EXPECT_EQ(file.sort_order_id, 0);
  EXPECT_THAT(file.split_offsets, ElementsAre(4));
}

TEST_F(DataFileWriterTest, GivesNoBoundsOfUuidsWhichJavaOrdersInItsOwnWay) {
  const DataFile file = Write("x.parquet", EveryType(), {EveryTypeRows()});
  const auto footer = parquet::ParquetFileReader::Open(store_->OpenInput(file.file_path).value())->metadata();
  int uuids = 0;
  for (int i = 0; i < footer->num_columns(); ++i) {
    const auto* column = footer->schema()->Column(i);
    if (!column->logical_type()->is_UUID()) continue;
    ++uuids;
    EXPECT_FALSE(footer->RowGroup(0)->ColumnChunk(i)->is_stats_set()) << column->path()->ToDotString();
    EXPECT_FALSE(file.lower_bounds.contains(column->schema_node()->field_id()));
    EXPECT_FALSE(file.upper_bounds.contains(column->schema_node()->field_id()));
  }
  EXPECT_EQ(uuids, 2);
}

TEST_F(DataFileWriterTest, CountsNanAndGivesNoBoundsWhereThereIsOne) {
  const Schema schema{.fields = {Column(1, "f", TypeId::kFloat), Column(2, "d", TypeId::kDouble),
                                 Column(3, "l", Type::List(Column(4, "element", TypeId::kDouble)))}};
  const DataFile file = Write("x.parquet", schema,
                              {Rows(schema, "[[NaN, NaN, [NaN, 1.0]], [2.0, NaN, null]]"),
                               Rows(schema, "[[-1.0, null, [NaN]], [null, NaN, []]]")->Slice(0)});
  EXPECT_THAT(file.nan_value_counts, ElementsAre(Pair(1, 1), Pair(2, 3), Pair(4, 2)));
  EXPECT_THAT(file.lower_bounds, IsEmpty());
  EXPECT_THAT(file.upper_bounds, IsEmpty());
  const DataFile numbers = Write("y.parquet", schema, {Rows(schema, "[[2.0, null, [NaN]], [-1.0, null, null]]")});
  EXPECT_THAT(numbers.lower_bounds, ElementsAre(Pair(1, "\x00\x00\x80\xBF"s)));
  EXPECT_THAT(numbers.upper_bounds, ElementsAre(Pair(1, "\x00\x00\x00\x40"s)));
}

TEST_F(DataFileWriterTest, CountsTheNanOfASliceAlone) {
  const Schema schema{
      .fields = {Column(1, "d", TypeId::kDouble), Column(2, "l", Type::List(Column(3, "element", TypeId::kDouble)))}};
  const auto rows = Rows(schema, "[[NaN, [NaN]], [1.0, [2.0, NaN]], [NaN, [NaN, NaN, NaN]]]");
  const DataFile file = Write("x.parquet", schema, {rows->Slice(1, 1)});
  EXPECT_THAT(file.nan_value_counts, ElementsAre(Pair(1, 0), Pair(3, 1)));
  EXPECT_TRUE(SameRows(*Read(file.file_path, schema), *rows->Slice(1, 1)));
}

TEST_F(DataFileWriterTest, CutsLongStringsInBounds) {
  const Schema schema{.fields = {Column(1, "s", TypeId::kString), Column(2, "b", TypeId::kBinary)}};
  const DataFile file = Write("x.parquet", schema, {Rows(schema, R"([["ääääääääääääääääzz", "0123456789abcdefg"]])")});
  EXPECT_EQ(file.lower_bounds.at(1), "ääääääääääääääää");
  EXPECT_EQ(file.upper_bounds.at(1), "äääääääääääääääå");
  EXPECT_EQ(file.lower_bounds.at(2), "0123456789abcdef");
  EXPECT_EQ(file.upper_bounds.at(2), "0123456789abcdeg");
}

TEST_F(DataFileWriterTest, MergesTheMetricsOfRowGroups) {
  const Schema schema{.fields = {Column(1, "id", TypeId::kLong), Column(2, "d", Type::Decimal(20, 0)),
                                 Column(3, "s", TypeId::kString)}};
  const auto rows =
      Rows(schema, R"([[1, "-5", "b"], [2, "7", null], [3, null, null], [4, null, null], [0, "-200", "a"]])");
  const DataFile file = Write("x.parquet", schema, {rows}, {.row_group_rows = 2});
  EXPECT_EQ(file.split_offsets.size(), 3u);
  EXPECT_EQ(file.record_count, 5);
  EXPECT_EQ(file.lower_bounds.at(1), std::string(8, '\0'));
  EXPECT_EQ(file.upper_bounds.at(1), "\x04"s + std::string(7, '\0'));
  EXPECT_EQ(file.lower_bounds.at(2), "\xFF\x38"s);
  EXPECT_EQ(file.upper_bounds.at(2), "\x07"s);
  EXPECT_EQ(file.lower_bounds.at(3), "a");
  EXPECT_EQ(file.upper_bounds.at(3), "b");
  EXPECT_EQ(file.null_value_counts.at(3), 3);
  EXPECT_TRUE(SameRows(*Read(file.file_path, schema), *rows));
}

TEST_F(DataFileWriterTest, WritesAFileOfNoRows) {
  const DataFile file = Write("x.parquet", EveryType(), {});
  EXPECT_EQ(file.record_count, 0);
  EXPECT_THAT(file.split_offsets, IsEmpty());
  EXPECT_THAT(file.lower_bounds, IsEmpty());
  EXPECT_EQ(Read(file.file_path, EveryType())->num_rows(), 0);
}

TEST_F(DataFileWriterTest, WritesEveryCompression) {
  const Schema schema{.fields = {Column(1, "s", TypeId::kString)}};
  for (const char* name : {"zstd", "snappy", "gzip", "lz4", "none"}) {
    const auto rows = Rows(schema, R"([["a"], ["a"]])");
    const DataFile file = Write(name, schema, {rows}, {.compression = ParseCompression(name).value()});
    EXPECT_TRUE(SameRows(*Read(file.file_path, schema), *rows)) << name;
  }
  EXPECT_EQ(ParseCompression("rar").error().kind(), ErrorKind::kInvalidConfig);
}

TEST_F(DataFileWriterTest, NamesTheRequiredColumnThatHoldsANull) {
  const Schema schema{.fields = {Column(1, "id", TypeId::kLong, true), Column(2, "name", TypeId::kString, true)}};
  auto writer = DataFileWriter::Open(*store_, Location("x.parquet"), schema, {}).value();
  const Status written = writer->Write(*Rows(schema, R"([[1, "a"], [2, null]])"));
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().kind(), ErrorKind::kSchemaMismatch);
  EXPECT_THAT(written.error().message(), HasSubstr("column name is required"));
}

TEST_F(DataFileWriterTest, LetsARequiredFieldOfANullStructBeNull) {
  const Schema schema{.fields = {Column(1, "s", Type::Struct({Column(2, "x", TypeId::kInt, true)}))}};
  const auto nullable = arrow::struct_({arrow::field("s", arrow::struct_({arrow::field("x", arrow::int32())}))});
  const auto batch = [&](const char* json) {
    return arrow::RecordBatch::FromStructArray(arrow::json::ArrayFromJSONString(nullable, json).ValueOrDie())
        .ValueOrDie();
  };
  auto writer = DataFileWriter::Open(*store_, Location("x.parquet"), schema, {}).value();
  EXPECT_TRUE(writer->Write(*batch("[[[1]], [null]]")).has_value());
  const Status written = writer->Write(*batch("[[[null]]]"));
  ASSERT_FALSE(written.has_value());
  EXPECT_THAT(written.error().message(), HasSubstr("column s.x is required"));
}

TEST_F(DataFileWriterTest, RefusesABatchOfAnotherType) {
  const Schema schema{.fields = {Column(1, "id", TypeId::kLong)}};
  const Schema other{.fields = {Column(1, "id", TypeId::kInt)}};
  auto writer = DataFileWriter::Open(*store_, Location("x.parquet"), schema, {}).value();
  const Status written = writer->Write(*Rows(other, "[[1]]"));
  ASSERT_FALSE(written.has_value());
  EXPECT_THAT(written.error().message(), HasSubstr("column id is long but its data is int32"));
}

TEST_F(DataFileWriterTest, TakesAFileAwayThatWasNotClosed) {
  const Schema schema{.fields = {Column(1, "id", TypeId::kLong)}};
  auto writer = DataFileWriter::Open(*store_, Location("x.parquet"), schema, {}).value();
  ASSERT_TRUE(writer->Write(*Rows(schema, "[[1]]")).has_value());
  ASSERT_TRUE(writer->Flush().has_value());
  ASSERT_TRUE(store_->Stat(Location("x.parquet")).has_value());
  writer.reset();
  EXPECT_EQ(store_->Stat(Location("x.parquet")).error().kind(), ErrorKind::kNotFound);
}

TEST_F(DataFileWriterTest, EstimatesTheFileSizeAsItGrows) {
  const Schema schema{.fields = {Column(1, "id", TypeId::kLong)}};
  auto writer = DataFileWriter::Open(*store_, Location("x.parquet"), schema, {.row_group_rows = 1000}).value();
  std::string json = "[";
  for (int i = 0; i < 1000; ++i) json += (i == 0 ? "[" : ",[") + std::to_string(i * 7919 % 100'003) + "]";
  const auto rows = Rows(schema, json + "]");
  int64_t last = 0;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(writer->Write(*rows).has_value());
    if (i == 0) continue;  // before the first row group is out, the estimate is the writer's memory
    EXPECT_GT(writer->estimated_bytes(), last);
    last = writer->estimated_bytes();
  }
  EXPECT_EQ(writer->rows(), 20'000);
  const DataFile file = writer->Close().value();
  EXPECT_NEAR(static_cast<double>(last), static_cast<double>(file.file_size_in_bytes),
              static_cast<double>(file.file_size_in_bytes) * 0.2);
}

TEST_F(DataFileWriterTest, MakesNoStatisticsOfColumnsWithLargeValues) {
  const Schema schema{.fields = {Column(1, "n", TypeId::kLong), Column(2, "s", TypeId::kString)}};
  auto small = DataFileWriter::Open(*store_, Location("small.parquet"), schema, {}).value();
  const auto large_rows = WideRows(schema, 0, 3, 1 << 20);
  EXPECT_TRUE(small->Suits(*large_rows)) << "nothing is decided yet";
  ASSERT_TRUE(small->Write(*WideRows(schema, 0, 3, 100)).has_value());
  ASSERT_TRUE(small->Flush().has_value());
  EXPECT_FALSE(small->Suits(*large_rows));
  EXPECT_TRUE(small->Suits(*WideRows(schema, 0, 3, (1 << 20) - 1)));
  EXPECT_EQ(small->Close()->lower_bounds.size(), 2u);

  auto large = DataFileWriter::Open(*store_, Location("large.parquet"), schema, {}).value();
  ASSERT_TRUE(large->Write(*large_rows).has_value());
  ASSERT_TRUE(large->Flush().has_value());
  EXPECT_TRUE(large->Suits(*large_rows));
  ASSERT_TRUE(large->Write(*WideRows(schema, 3, 2, 1)).has_value());
  const DataFile file = large->Close().value();
  EXPECT_EQ(file.lower_bounds.size(), 1u);
  EXPECT_EQ(file.lower_bounds.count(1), 1u);
  EXPECT_EQ(file.null_value_counts.count(2), 0u);
  EXPECT_EQ(file.value_counts.at(2), 5);
  EXPECT_EQ(Read(Location("large.parquet"), schema)->num_rows(), 5);
}

TEST_F(DataFileWriterTest, WritesWideRowsInPagesOfAMegabyte) {
  const Schema schema{.fields = {Column(1, "n", TypeId::kLong), Column(2, "s", TypeId::kString)}};
  const DataFile file =
      Write("x.parquet", schema, {WideRows(schema, 0, 100, 100'000)}, {.compression = Compression::kNone});
  const auto parquet = parquet::ParquetFileReader::Open(store_->OpenInput(file.file_path).value());
  auto pages = parquet->RowGroup(0)->GetColumnPageReader(1);
  int count = 0;
  while (const auto page = pages->NextPage()) {
    EXPECT_LE(page->size(), 2 << 20);
    ++count;
  }
  EXPECT_GE(count, 5);
  EXPECT_EQ(Read(file.file_path, schema)->num_rows(), 100);
}

}  // namespace
}  // namespace firn::iceberg
