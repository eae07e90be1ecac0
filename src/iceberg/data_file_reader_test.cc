#include "iceberg/data_file_reader.h"

#include <arrow/table.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include "iceberg/name_mapping.h"
#include "iceberg/parquet_test_fixture.h"

namespace firn::iceberg {
namespace {

using ::testing::HasSubstr;

using DataFileReaderTest = ParquetTest;

TEST_F(DataFileReaderTest, FindsColumnsByFieldIdAfterTheyWereRenamedAndMoved) {
  const Schema written{
      .fields = {Column(1, "a", TypeId::kLong), Column(2, "b", TypeId::kString), Column(3, "c", TypeId::kInt)}};
  Write("x.parquet", written, {Rows(written, R"([[1, "x", 7], [2, "y", 8]])")});
  const Schema projection{.fields = {Column(2, "a", TypeId::kString), Column(1, "renamed", TypeId::kLong)}};
  const auto rows = Read(Location("x.parquet"), projection);
  EXPECT_TRUE(SameRows(*rows, *Rows(projection, R"([["x", 1], ["y", 2]])")));
  EXPECT_EQ(rows->schema()->field(1)->name(), "renamed");
}

TEST_F(DataFileReaderTest, ReadsNullsForAColumnThatTheFileLacks) {
  const Schema written{.fields = {Column(1, "a", TypeId::kLong)}};
  Write("x.parquet", written, {Rows(written, "[[1], [2]]")});
  const Schema projection{.fields = {Column(9, "new", TypeId::kString), Column(1, "a", TypeId::kLong)}};
  EXPECT_TRUE(SameRows(*Read(Location("x.parquet"), projection), *Rows(projection, "[[null, 1], [null, 2]]")));
  const Schema only_new{.fields = {Column(9, "new", TypeId::kString)}};
  EXPECT_EQ(Read(Location("x.parquet"), only_new)->num_rows(), 2);
}

TEST_F(DataFileReaderTest, WidensColumnsThatWerePromoted) {
  const Schema written{.fields = {Column(1, "i", TypeId::kInt), Column(2, "f", TypeId::kFloat),
                                  Column(3, "d", Type::Decimal(4, 1)),
                                  Column(4, "l", Type::List(Column(5, "element", TypeId::kInt)))}};
  Write("x.parquet", written, {Rows(written, R"([[1, 1.5, "14.2", [1, 2]], [null, null, null, null]])")});
  const Schema projection{.fields = {Column(1, "i", TypeId::kLong), Column(2, "f", TypeId::kDouble),
                                     Column(3, "d", Type::Decimal(20, 1)),
                                     Column(4, "l", Type::List(Column(5, "element", TypeId::kLong)))}};
  EXPECT_TRUE(SameRows(*Read(Location("x.parquet"), projection),
                       *Rows(projection, R"([[1, 1.5, "14.2", [1, 2]], [null, null, null, null]])")));
}

TEST_F(DataFileReaderTest, RefusesATypeThatTheColumnNeverHad) {
  const Schema written{.fields = {Column(1, "i", TypeId::kLong)}};
  Write("x.parquet", written, {Rows(written, "[[1]]")});
  const Schema projection{.fields = {Column(1, "i", TypeId::kString)}};
  auto reader = DataFileReader::Open(*store_, DataFile{.file_path = Location("x.parquet")}, projection).value();
  auto rows = reader->Next();
  ASSERT_FALSE(rows.has_value());
  EXPECT_EQ(rows.error().kind(), ErrorKind::kSchemaMismatch);
  EXPECT_THAT(rows.error().message(), HasSubstr("column i is string in the table but int64 in the file"));
}

TEST_F(DataFileReaderTest, FindsFieldsOfStructsByFieldId) {
  const auto with = [](std::vector<Field> fields) {
    return Schema{
        .fields = {
            Column(1, "s", Type::Struct(std::move(fields))),
            Column(2, "m", Type::Map(Column(3, "key", TypeId::kString, true), Column(4, "value", TypeId::kInt)))}};
  };
  const Schema written = with({Column(5, "x", TypeId::kInt), Column(6, "y", TypeId::kString)});
  Write("x.parquet", written, {Rows(written, R"([[[1, "a"], [["k", 1]]], [null, null], [[2, null], []]])")});
  const Schema projection = with({Column(6, "renamed", TypeId::kString), Column(7, "new", TypeId::kDate)});
  EXPECT_TRUE(SameRows(*Read(Location("x.parquet"), projection),
                       *Rows(projection, R"([[["a", null], [["k", 1]]], [null, null], [[null, null], []]])")));
}

TEST_F(DataFileReaderTest, ReadsRowsByPositionAcrossRowGroups) {
  const Schema schema{.fields = {Column(1, "id", TypeId::kLong), Column(2, "s", TypeId::kString)}};
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  for (int i = 0; i < 10; ++i) {
    const std::string id = std::to_string(i);
    batches.push_back(Rows(schema, "[[" + id + ", \"s" + id + "\"]]"));
  }
  const DataFile file = Write("x.parquet", schema, batches, {.row_group_rows = 3});
  ASSERT_EQ(file.split_offsets.size(), 4u);
  auto reader = DataFileReader::Open(*store_, file, schema).value();
  const std::vector<int64_t> positions = {0, 2, 3, 9};
  EXPECT_TRUE(SameRows(*ReadRows(*reader, positions).value(),
                       *Rows(schema, R"([[0, "s0"], [2, "s2"], [3, "s3"], [9, "s9"]])")));
  const std::vector<int64_t> repeated = {2, 2, 3, 3, 3};
  EXPECT_TRUE(SameRows(*ReadRows(*reader, repeated).value(),
                       *Rows(schema, R"([[2, "s2"], [2, "s2"], [3, "s3"], [3, "s3"], [3, "s3"]])")));
  const auto unasked = [](const auto&, size_t) { return Status(MakeError(ErrorKind::kInternal, "not asked for")); };
  EXPECT_TRUE(reader->ReadRows({}, unasked).has_value());
  EXPECT_EQ(reader->ReadRows(std::vector<int64_t>{1}, unasked).error().kind(), ErrorKind::kInternal);
  EXPECT_FALSE(ReadRows(*reader, {10}).has_value());
  EXPECT_FALSE(ReadRows(*reader, {3, 2}).has_value());
  EXPECT_EQ(reader->Next().value()->num_rows(), 3) << "reading by position leaves the sequence alone";
}

TEST_F(DataFileReaderTest, ReadsWideRowsAFewAtATime) {
  const Schema schema{.fields = {Column(1, "n", TypeId::kLong), Column(2, "s", TypeId::kString)}};
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  for (int64_t first = 0; first < 500; first += 100) batches.push_back(WideRows(schema, first, 100, 100'000));
  const DataFile file = Write("x.parquet", schema, batches, {.row_group_rows = 300});
  ASSERT_EQ(file.split_offsets.size(), 2u);
  auto reader = DataFileReader::Open(*store_, file, schema).value();
  ExpectBoundedParts(*reader, 500, 100'000);
}

TEST_F(DataFileReaderTest, ReadsIncompressibleRowsAFewAtATime) {
  const Schema schema{.fields = {Column(1, "n", TypeId::kLong), Column(2, "s", TypeId::kString)}};
  const DataFile file =
      Write("x.parquet", schema, {WideRows(schema, 0, 60, 1'000'000)}, {.compression = Compression::kNone});
  ASSERT_GT(file.file_size_in_bytes, 60'000'000) << "enough to be read page by page";
  auto reader = DataFileReader::Open(*store_, file, schema).value();
  ExpectBoundedParts(*reader, 60, 1'000'000);
}

TEST_F(DataFileReaderTest, CountsEachUseOfAValueInADictionary) {
  const Schema schema{.fields = {Column(1, "n", TypeId::kLong), Column(2, "s", TypeId::kString)}};
  arrow::Int64Builder numbers;
  arrow::StringBuilder texts;
  for (int i = 0; i < 5'000; ++i) {
    ASSERT_TRUE(numbers.Append(i).ok());
    ASSERT_TRUE(texts.Append(std::string(10'000, static_cast<char>('a' + i % 5))).ok());
  }
  const DataFile file =
      Write("x.parquet", schema,
            {arrow::RecordBatch::Make(ToArrowSchema(schema).value(), 5'000, {*numbers.Finish(), *texts.Finish()})});
  ASSERT_LT(file.file_size_in_bytes, 1'000'000);
  auto reader = DataFileReader::Open(*store_, file, schema).value();
  int64_t rows = 0;
  while (const auto batch = reader->Next().value()) {
    EXPECT_LE(batch->num_rows() * 10'000, 2 * kBatchBytes);
    rows += batch->num_rows();
  }
  EXPECT_EQ(rows, 5'000);
}

TEST_F(DataFileReaderTest, SaysThatAFileIsNoParquet) {
  ASSERT_TRUE(store_->Write(Location("x.parquet"), "this is no Parquet file").has_value());
  auto reader = DataFileReader::Open(*store_, DataFile{.file_path = Location("x.parquet")},
                                     {.fields = {Column(1, "a", TypeId::kInt)}});
  ASSERT_FALSE(reader.has_value());
  EXPECT_EQ(reader.error().kind(), ErrorKind::kCorrupt);
  auto missing = DataFileReader::Open(*store_, DataFile{.file_path = Location("y.parquet")},
                                      {.fields = {Column(1, "a", TypeId::kInt)}});
  EXPECT_EQ(missing.error().kind(), ErrorKind::kNotFound);
}

TEST_F(DataFileReaderTest, GivesFieldsThatTheFileLacksTheirInitialDefaults) {
  const Schema written{
      .fields = {Column(1, "a", TypeId::kLong), Column(2, "s", Type::Struct({Column(3, "x", TypeId::kInt)}))}};
  Write("x.parquet", written, {Rows(written, "[[1, [7]], [2, null]]")});
  Field number = Column(9, "n", TypeId::kInt);
  number.initial_default = "42";
  Field inner = Column(10, "y", TypeId::kString);
  inner.initial_default = R"("why")";
  const Schema projection{.fields = {number, Column(1, "a", TypeId::kLong),
                                     Column(2, "s", Type::Struct({inner, Column(3, "x", TypeId::kInt)}))}};
  EXPECT_TRUE(
      SameRows(*Read(Location("x.parquet"), projection), *Rows(projection, R"([[42, 1, ["why", 7]], [42, 2, null]])")));
}

TEST_F(DataFileReaderTest, TakesTheValueOfAnIdentityPartitionForAFieldThatTheFileLacks) {
  const Schema written{.fields = {Column(1, "a", TypeId::kLong)}};
  Write("x.parquet", written, {Rows(written, "[[1], [2]]")});
  Field day = Column(9, "day", TypeId::kDate);
  day.initial_default = R"("2020-01-01")";
  const Schema projection{.fields = {Column(1, "a", TypeId::kLong), day}};
  auto reader = DataFileReader::Open(*store_, DataFile{.file_path = Location("x.parquet")}, projection,
                                     {.partition_values = {{9, int32_t{1}}}})
                    .value();
  EXPECT_TRUE(SameRows(*reader->Next().value(), *Rows(projection, "[[1, 1], [2, 1]]")));
}

TEST_F(DataFileReaderTest, ReadsDatesThatBecameTimestamps) {
  const Schema written{.fields = {Column(1, "d", TypeId::kDate), Column(2, "n", TypeId::kDate)}};
  Write("x.parquet", written, {Rows(written, "[[-1, 1], [null, null]]")});
  const Schema projection{.fields = {Column(1, "d", TypeId::kTimestamp), Column(2, "n", TypeId::kTimestampNs)}};
  EXPECT_TRUE(SameRows(*Read(Location("x.parquet"), projection),
                       *Rows(projection, "[[-86400000000, 86400000000000], [null, null]]")));
  const Schema instant{.fields = {Column(1, "d", TypeId::kTimestampTz)}};
  auto reader = DataFileReader::Open(*store_, DataFile{.file_path = Location("x.parquet")}, instant).value();
  EXPECT_EQ(reader->Next().error().kind(), ErrorKind::kSchemaMismatch);
}

TEST_F(DataFileReaderTest, FailsWhereADateIsOutsideOfItsNewType) {
  const Schema written{.fields = {Column(1, "d", TypeId::kDate)}};
  Write("x.parquet", written, {Rows(written, "[[2000000]]")});  // The year 7445; nanoseconds end in 2262.
  const Schema projection{.fields = {Column(1, "d", TypeId::kTimestampNs)}};
  auto reader = DataFileReader::Open(*store_, DataFile{.file_path = Location("x.parquet")}, projection).value();
  EXPECT_FALSE(reader->Next().has_value());
}

TEST_F(DataFileReaderTest, EvolvesStructsInListsAndMaps) {
  const auto with = [](const std::vector<Field>& fields) {
    return Schema{.fields = {Column(1, "l", Type::List(Column(2, "element", Type::Struct(fields)))),
                             Column(3, "m",
                                    Type::Map(Column(4, "key", TypeId::kString, true),
                                              Column(5, "value", Type::List(Column(6, "element", TypeId::kInt)))))}};
  };
  const Schema written = with({Column(7, "gone", TypeId::kString), Column(8, "n", TypeId::kInt)});
  Write("x.parquet", written, {Rows(written, R"([[[["g", 1], null], [["k", [1, null]]]], [null, null], [[], []]])")});
  Schema projection = with({Column(8, "renamed", TypeId::kLong), Column(9, "new", TypeId::kDouble)});
  projection.fields[1].type.fields[1].type.fields[0].type = Type::Primitive(TypeId::kLong);
  EXPECT_TRUE(SameRows(*Read(Location("x.parquet"), projection),
                       *Rows(projection, R"([[[[1, null], null], [["k", [1, null]]]], [null, null], [[], []]])")));
}

TEST_F(DataFileReaderTest, ReadsAFieldThatWasUnknownAsNulls) {
  const Schema written{.fields = {Column(1, "a", TypeId::kLong), Column(2, "u", TypeId::kInt)}};
  Write("x.parquet", written, {Rows(written, "[[1, 5]]")});
  const Schema projection{.fields = {Column(2, "u", TypeId::kUnknown), Column(1, "a", TypeId::kLong)}};
  EXPECT_TRUE(SameRows(*Read(Location("x.parquet"), projection), *Rows(projection, "[[null, 1]]")));
}

/// A file of another program, without field ids.
class FilesWithoutIdsTest : public ParquetTest {
 protected:
  void SetUp() override {
    ParquetTest::SetUp();
    file_.file_path = Location("x.parquet");
    const auto schema = arrow::schema({arrow::field("key", arrow::int64()),
                                       arrow::field("s", arrow::struct_({arrow::field("in.ner", arrow::utf8())}))});
    const auto rows = arrow::json::ArrayFromJSONString(arrow::struct_(schema->fields()), R"([[1, ["x"]], [2, null]])");
    const auto table = arrow::Table::FromRecordBatches({arrow::RecordBatch::FromStructArray(*rows).ValueOrDie()});
    auto sink = store_->OpenOutput(file_.file_path).value();
    ASSERT_TRUE(parquet::arrow::WriteTable(**table, arrow::default_memory_pool(), sink).ok());
    ASSERT_TRUE(sink->Close().ok());
  }

  DataFile file_;
  const Schema projection_{
      .fields = {Column(7, "s", Type::Struct({Column(8, "inner", TypeId::kString)})), Column(6, "id", TypeId::kLong)}};
};

TEST_F(FilesWithoutIdsTest, FindsColumnsByTheNameMapping) {
  const auto names = ParseNameMapping(R"([{"field-id": 6, "names": ["id", "key"]},
      {"field-id": 7, "names": ["s"], "fields": [{"field-id": 8, "names": ["in.ner"]}]}])");
  auto reader = DataFileReader::Open(*store_, file_, projection_, {.names = names.value()}).value();
  EXPECT_TRUE(SameRows(*reader->Next().value(), *Rows(projection_, R"([[["x"], 1], [null, 2]])")));
}

TEST_F(FilesWithoutIdsTest, SaysWhatIsMissing) {
  const auto reader = DataFileReader::Open(*store_, file_, projection_);
  ASSERT_FALSE(reader.has_value());
  EXPECT_EQ(reader.error().kind(), ErrorKind::kUnsupported);
  EXPECT_THAT(reader.error().message(), HasSubstr("schema.name-mapping.default"));
}

TEST_F(DataFileReaderTest, SaysWhichFormatItCanNotRead) {
  auto reader = DataFileReader::Open(*store_, DataFile{.file_path = Location("x"), .file_format = "VORTEX"}, {});
  EXPECT_EQ(reader.error().kind(), ErrorKind::kUnsupported);
}

TEST_F(DataFileReaderTest, NeverTakesDamagedBytesForRows) {
  const Schema schema{.fields = {Column(1, "id", TypeId::kLong), Column(2, "s", TypeId::kString),
                                 Column(3, "l", Type::List(Column(4, "element", TypeId::kInt)))}};
  const DataFile file = Write("x.parquet", schema, {Rows(schema, R"([[1, "a", [1, 2]], [2, "b", null]])")});
  const std::string whole = store_->Read(file.file_path).value();
  for (size_t cut = 0; cut < whole.size(); cut += 7) {
    ASSERT_TRUE(store_->Write(file.file_path, whole.substr(0, cut)).has_value());
    const auto reader = DataFileReader::Open(*store_, file, schema);
    ASSERT_FALSE(reader.has_value()) << cut;
    EXPECT_EQ(reader.error().kind(), ErrorKind::kCorrupt) << reader.error().message();
  }
}

}  // namespace
}  // namespace firn::iceberg
