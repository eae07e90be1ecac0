#include <arrow/adapters/orc/adapter.h>
#include <arrow/table.h>
#include <arrow/util/key_value_metadata.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "iceberg/parquet_test_fixture.h"
#include "iceberg/single_value.h"

namespace firn::iceberg {
namespace {

class OrcFileTest : public ParquetTest {
 protected:
  static std::shared_ptr<arrow::Field> WithId(const std::shared_ptr<arrow::Field>& field, FieldId id) {
    return field->WithMetadata(arrow::key_value_metadata({"iceberg.id"}, {std::to_string(id)}));
  }

  DataFile WriteOrc(const arrow::FieldVector& fields, const std::string& json) {
    const auto rows = arrow::json::ArrayFromJSONString(arrow::struct_(fields), json).ValueOrDie();
    return WriteOrc({arrow::RecordBatch::FromStructArray(rows).ValueOrDie()});
  }

  DataFile WriteOrc(const arrow::RecordBatchVector& batches) {
    const DataFile file{.file_path = Location("x.orc"), .file_format = "ORC"};
    auto sink = store_->OpenOutput(file.file_path).value();
    auto writer = arrow::adapters::orc::ORCFileWriter::Open(sink.get()).ValueOrDie();
    for (const auto& batch : batches) EXPECT_TRUE(writer->Write(*batch).ok());
    EXPECT_TRUE(writer->Close().ok());
    EXPECT_TRUE(sink->Close().ok());
    return file;
  }

  std::shared_ptr<arrow::RecordBatch> ReadOrc(const DataFile& file, const Schema& projection) {
    auto reader = DataFileReader::Open(*store_, file, projection).value();
    auto rows = reader->Next().value();
    EXPECT_TRUE(rows->ValidateFull().ok()) << rows->ValidateFull();
    EXPECT_EQ(reader->Next().value(), nullptr);
    return rows;
  }
};

TEST_F(OrcFileTest, ReadsColumnsByIdAndTypesThatOrcLacks) {
  const DataFile file =
      WriteOrc({WithId(arrow::field("old", arrow::int32()), 1), WithId(arrow::field("s", arrow::utf8()), 2),
                WithId(arrow::field("t", arrow::int64()), 3), WithId(arrow::field("fx", arrow::binary()), 4),
                WithId(arrow::field("ts", arrow::timestamp(arrow::TimeUnit::NANO)), 5),
                WithId(arrow::field("d", arrow::date32()), 6), WithId(arrow::field("dec", arrow::decimal128(9, 2)), 7)},
               R"([[1, "a", 1000000, "wxyz", 1000, -1, "1.25"], [null, null, null, null, null, null, null]])");
  const Schema projection{.fields = {Column(2, "s", TypeId::kString), Column(1, "renamed", TypeId::kLong),
                                     Column(3, "t", TypeId::kTime), Column(4, "fx", Type::Fixed(4)),
                                     Column(5, "ts", TypeId::kTimestamp), Column(6, "d", TypeId::kDate),
                                     Column(7, "dec", Type::Decimal(12, 2)), Column(9, "new", TypeId::kInt)}};
  EXPECT_TRUE(SameRows(*ReadOrc(file, projection), *Rows(projection, R"([["a", 1, 1000000, "wxyz", 1, -1, "1.25", null],
                                             [null, null, null, null, null, null, null, null]])")));
  const Schema nothing{.fields = {Column(9, "new", TypeId::kInt)}};
  EXPECT_EQ(ReadOrc(file, nothing)->num_rows(), 2);
}

TEST_F(OrcFileTest, FindsNestedFieldsById) {
  const auto inner =
      arrow::struct_({WithId(arrow::field("gone", arrow::int32()), 2), WithId(arrow::field("x", arrow::int64()), 3)});
  const DataFile file = WriteOrc({WithId(arrow::field("l", arrow::list(WithId(arrow::field("item", inner), 4))), 1)},
                                 "[[[[1, 2], null]], [null]]");
  const Schema projection{
      .fields = {Column(
          1, "l",
          Type::List(Column(4, "element",
                            Type::Struct({Column(3, "x", TypeId::kLong), Column(5, "new", TypeId::kString)}))))}};
  EXPECT_TRUE(SameRows(*ReadOrc(file, projection), *Rows(projection, "[[[[2, null], null]], [null]]")));
}

TEST_F(OrcFileTest, ReadsRowsByPosition) {
  const DataFile file = WriteOrc({WithId(arrow::field("n", arrow::int64()), 1)}, "[[0], [1], [2], [3]]");
  const Schema projection{.fields = {Column(1, "n", TypeId::kLong)}};
  auto reader = DataFileReader::Open(*store_, file, projection).value();
  EXPECT_TRUE(SameRows(*ReadRows(*reader, {1, 3}).value(), *Rows(projection, "[[1], [3]]")));
  EXPECT_TRUE(SameRows(*ReadRows(*reader, {0, 3, 3}).value(), *Rows(projection, "[[0], [3], [3]]")));
  EXPECT_EQ(reader->Next().value()->num_rows(), 4);
}

TEST_F(OrcFileTest, ReadsWideRowsAFewAtATime) {
  const Schema projection{.fields = {Column(1, "n", TypeId::kLong), Column(2, "s", TypeId::kString)}};
  const auto schema =
      arrow::schema({WithId(arrow::field("n", arrow::int64()), 1), WithId(arrow::field("s", arrow::utf8()), 2)});
  arrow::RecordBatchVector batches;
  for (int64_t first = 0; first < 400; first += 100) {
    const auto rows = WideRows(projection, first, 100, 100'000);
    batches.push_back(arrow::RecordBatch::Make(schema, rows->num_rows(), rows->columns()));
  }
  auto reader = DataFileReader::Open(*store_, WriteOrc(batches), projection).value();
  ExpectBoundedParts(*reader, 400, 100'000);
}

TEST_F(OrcFileTest, RefusesAValueOfTheWrongWidth) {
  const DataFile file = WriteOrc({WithId(arrow::field("fx", arrow::binary()), 1)}, R"([["abc"]])");
  auto reader = DataFileReader::Open(*store_, file, {.fields = {Column(1, "fx", Type::Fixed(4))}}).value();
  EXPECT_EQ(reader->Next().error().kind(), ErrorKind::kCorrupt);
}

TEST_F(OrcFileTest, RefusesTimestampsThatWouldWrap) {
  DataFile file = WriteOrc({WithId(arrow::field("ts", arrow::timestamp(arrow::TimeUnit::NANO)), 1)}, "[[1000]]");
  const Schema projection{.fields = {Column(1, "ts", TypeId::kTimestamp)}};
  file.upper_bounds[1] = SingleValue(int64_t{253402300799999999});  // The end of 9999.
  const auto reader = DataFileReader::Open(*store_, file, projection);
  ASSERT_FALSE(reader.has_value());
  EXPECT_EQ(reader.error().kind(), ErrorKind::kUnsupported);
}

TEST_F(OrcFileTest, NeverTakesDamagedBytesForRows) {
  const Schema projection{.fields = {Column(1, "n", TypeId::kLong)}};
  const DataFile file = WriteOrc({WithId(arrow::field("n", arrow::int64()), 1)}, "[[0], [1], [2], [3]]");
  const std::string whole = store_->Read(file.file_path).value();
  for (size_t cut = 0; cut < whole.size(); ++cut) {
    ASSERT_TRUE(store_->Write(file.file_path, whole.substr(0, cut)).has_value());
    const auto reader = DataFileReader::Open(*store_, file, projection);
    ASSERT_FALSE(reader.has_value()) << cut;
    // Bytes that name a codec of nobody may as well be those of a later version of the format.
    EXPECT_TRUE(reader.error().kind() == ErrorKind::kCorrupt || reader.error().kind() == ErrorKind::kUnsupported)
        << reader.error().message();
  }
}

}  // namespace
}  // namespace firn::iceberg
