#include "iceberg/data_file_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  auto reader = DataFileReader::Open(*store_, Location("x.parquet"), projection).value();
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
  auto reader = DataFileReader::Open(*store_, file.file_path, schema).value();
  const std::vector<int64_t> positions = {0, 2, 3, 9};
  EXPECT_TRUE(
      SameRows(*reader->ReadRows(positions).value(), *Rows(schema, R"([[0, "s0"], [2, "s2"], [3, "s3"], [9, "s9"]])")));
  EXPECT_EQ(reader->ReadRows({}).value()->num_rows(), 0);
  const std::vector<int64_t> beyond = {10};
  EXPECT_FALSE(reader->ReadRows(beyond).has_value());
  EXPECT_EQ(reader->Next().value()->num_rows(), 3) << "reading by position leaves the sequence alone";
}

TEST_F(DataFileReaderTest, SaysThatAFileIsNoParquet) {
  ASSERT_TRUE(store_->Write(Location("x.parquet"), "this is no Parquet file").has_value());
  auto reader = DataFileReader::Open(*store_, Location("x.parquet"), {.fields = {Column(1, "a", TypeId::kInt)}});
  ASSERT_FALSE(reader.has_value());
  EXPECT_EQ(reader.error().kind(), ErrorKind::kCorrupt);
  auto missing = DataFileReader::Open(*store_, Location("y.parquet"), {.fields = {Column(1, "a", TypeId::kInt)}});
  EXPECT_EQ(missing.error().kind(), ErrorKind::kNotFound);
}

}  // namespace
}  // namespace firn::iceberg
