#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "iceberg/avro_container.h"
#include "iceberg/parquet_test_fixture.h"

namespace firn::iceberg {
namespace {

using ::testing::HasSubstr;

/// Avro files written by hand, as Java lays them out.
class AvroFileTest : public ParquetTest {
 protected:
  /// `records`: each appends one record.
  DataFile WriteAvro(const std::string& fields, const std::vector<std::function<void(AvroEncoder&)>>& records) {
    AvroWriter writer(R"({"type":"record","name":"table","fields":[)" + fields + "]}", {});
    for (const auto& encode : records) {
      AvroEncoder encoder;
      encode(encoder);
      EXPECT_TRUE(writer.Append(encoder.bytes()).has_value());
    }
    const DataFile file{.file_path = Location("x.avro"), .file_format = "AVRO"};
    EXPECT_TRUE(store_->Write(file.file_path, std::move(writer).Finish().value()).has_value());
    return file;
  }

  std::shared_ptr<arrow::RecordBatch> ReadAvro(const DataFile& file, const Schema& projection,
                                               const ColumnContext& context = {}) {
    auto reader = DataFileReader::Open(*store_, file, projection, context).value();
    auto rows = reader->Next().value();
    EXPECT_TRUE(rows->ValidateFull().ok()) << rows->ValidateFull();
    EXPECT_EQ(reader->Next().value(), nullptr);
    return rows;
  }
};

TEST_F(AvroFileTest, ReadsEachTypeAsTheSpecStoresIt) {
  const DataFile file = WriteAvro(
      R"({"name":"b","type":["null","boolean"],"field-id":1},{"name":"i","type":"int","field-id":2},)"
      R"({"name":"f","type":"float","field-id":3},)"
      R"({"name":"dec","type":{"type":"fixed","name":"dec","size":4,"logicalType":"decimal","precision":9,"scale":2},"field-id":4},)"
      R"({"name":"d","type":{"type":"int","logicalType":"date"},"field-id":5},)"
      R"({"name":"t","type":{"type":"long","logicalType":"time-micros"},"field-id":6},)"
      R"({"name":"ts","type":{"type":"long","logicalType":"timestamp-micros","adjust-to-utc":true},"field-id":7},)"
      R"({"name":"ms","type":{"type":"long","logicalType":"timestamp-millis"},"field-id":8},)"
      R"({"name":"ns","type":{"type":"long","logicalType":"timestamp-nanos"},"field-id":9},)"
      R"({"name":"s","type":["null","string"],"field-id":10},)"
      R"({"name":"u","type":{"type":"fixed","name":"u","size":16,"logicalType":"uuid"},"field-id":11},)"
      R"({"name":"bin","type":"bytes","field-id":12})",
      {[](AvroEncoder& encoder) {
         encoder.NotNull();
         encoder.Boolean(true);
         encoder.Long(-7);
         encoder.Float(1.5f);
         encoder.Fixed(std::string_view("\xff\xff\xff\xfe", 4));
         encoder.Long(-1);
         for (const int64_t time : {1, 2, 3, 4}) encoder.Long(time);
         encoder.NotNull();
         encoder.Bytes("text");
         encoder.Fixed("0123456789abcdef");
         encoder.Bytes("bytes");
       },
       [](AvroEncoder& encoder) {
         encoder.Null();
         encoder.Long(2);
         encoder.Float(0);
         encoder.Fixed(std::string_view("\0\0\0\1", 4));
         encoder.Long(0);
         for (const int64_t time : {0, -1, -1, -1}) encoder.Long(time);
         encoder.Null();
         encoder.Fixed("0123456789abcdef");
         encoder.Bytes("");
       }});
  const Schema projection{.fields = {Column(1, "b", TypeId::kBoolean), Column(2, "i", TypeId::kLong),
                                     Column(3, "f", TypeId::kDouble), Column(4, "dec", Type::Decimal(20, 2)),
                                     Column(5, "d", TypeId::kTimestamp), Column(6, "t", TypeId::kTime),
                                     Column(7, "ts", TypeId::kTimestampTz), Column(8, "ms", TypeId::kTimestamp),
                                     Column(9, "ns", TypeId::kTimestampNs), Column(10, "s", TypeId::kString),
                                     Column(11, "u", TypeId::kUuid), Column(12, "bin", TypeId::kBinary)}};
  EXPECT_TRUE(
      SameRows(*ReadAvro(file, projection),
               *Rows(projection,
                     R"([[true, -7, 1.5, "-0.02", -86400000000, 1, 2, 3000, 4, "text", "0123456789abcdef", "bytes"],
                [null, 2, 0, "0.01", 0, 0, -1, -1000, -1, null, "0123456789abcdef", ""]])")));
}

TEST_F(AvroFileTest, FindsNestedFieldsByIdAndMakesUpThoseThatAreMissing) {
  const DataFile file = WriteAvro(
      R"({"name":"s","type":["null",{"type":"record","name":"r1","fields":[{"name":"gone","type":"string","field-id":2},)"
      R"({"name":"x","type":"int","field-id":3}]}],"field-id":1},)"
      R"({"name":"l","type":{"type":"array","items":["null","long"],"element-id":5},"field-id":4},)"
      R"({"name":"m","type":{"type":"map","values":"int","key-id":7,"value-id":8},"field-id":6},)"
      R"({"name":"p","type":{"type":"array","logicalType":"map","items":{"type":"record","name":"k10_v11","fields":[)"
      R"({"name":"key","type":"int","field-id":10},{"name":"value","type":["null","string"],"field-id":11}]}},"field-id":9})",
      {[](AvroEncoder& encoder) {
         encoder.NotNull();
         encoder.Bytes("gone");
         encoder.Long(3);
         encoder.ArrayBlock(2);
         encoder.NotNull();
         encoder.Long(1);
         encoder.Null();
         encoder.ArrayEnd();
         encoder.ArrayBlock(1);
         encoder.Bytes("k");
         encoder.Long(9);
         encoder.ArrayEnd();
         encoder.ArrayBlock(1);
         encoder.Long(5);
         encoder.Null();
         encoder.ArrayEnd();
       },
       [](AvroEncoder& encoder) {
         encoder.Null();
         for (int i = 0; i < 3; ++i) encoder.ArrayEnd();
       }});
  Field with_default = Column(12, "new", TypeId::kInt);
  with_default.initial_default = "42";
  const Schema projection{
      .fields = {Column(20, "absent", TypeId::kString),
                 Column(1, "s", Type::Struct({with_default, Column(3, "x", TypeId::kLong)})),
                 Column(9, "p", Type::Map(Column(10, "key", TypeId::kInt, true), Column(11, "value", TypeId::kString))),
                 Column(6, "m", Type::Map(Column(7, "key", TypeId::kString, true), Column(8, "value", TypeId::kLong))),
                 Column(4, "l", Type::List(Column(5, "element", TypeId::kLong)))}};
  EXPECT_TRUE(
      SameRows(*ReadAvro(file, projection), *Rows(projection, R"([[null, [42, 3], [[5, null]], [["k", 9]], [1, null]],
                                             [null, null, [], [], []]])")));
  const Schema nothing{.fields = {Column(20, "absent", TypeId::kString)}};
  EXPECT_EQ(ReadAvro(file, nothing)->num_rows(), 2);
}

TEST_F(AvroFileTest, ReadsVariantsByTheNamesOfTheirParts) {
  const DataFile file =
      WriteAvro(R"({"name":"v","type":["null",{"type":"record","name":"r1","logicalType":"variant","fields":[)"
                R"({"name":"metadata","type":"bytes"},{"name":"value","type":"bytes"}]}],"field-id":1})",
                {[](AvroEncoder& encoder) {
                   encoder.NotNull();
                   encoder.Bytes("m");
                   encoder.Bytes("v");
                 },
                 [](AvroEncoder& encoder) { encoder.Null(); }});
  const Schema projection{.fields = {Column(1, "v", TypeId::kVariant)}};
  EXPECT_TRUE(SameRows(*ReadAvro(file, projection), *Rows(projection, R"([[["m", "v"]], [null]])")));
}

TEST_F(AvroFileTest, TakesIdsFromTheNameMapping) {
  const DataFile file = WriteAvro(R"({"name":"n","type":"long"})", {[](AvroEncoder& encoder) { encoder.Long(1); }});
  const Schema projection{.fields = {Column(1, "id", TypeId::kLong)}};
  const ColumnContext context{.names = ParseNameMapping(R"([{"field-id": 1, "names": ["n"]}])").value()};
  EXPECT_TRUE(SameRows(*ReadAvro(file, projection, context), *Rows(projection, "[[1]]")));
  EXPECT_EQ(DataFileReader::Open(*store_, file, projection).error().kind(), ErrorKind::kUnsupported);
}

TEST_F(AvroFileTest, ReadsRowsByPositionOverManyBlocks) {
  std::vector<std::function<void(AvroEncoder&)>> records;
  const std::string wide(1000, 'x');
  for (int64_t i = 0; i < 500; ++i) {
    records.push_back([i, &wide](AvroEncoder& encoder) {
      encoder.Long(i);
      encoder.Bytes(wide);
    });
  }
  const DataFile file =
      WriteAvro(R"({"name":"n","type":"long","field-id":1},{"name":"s","type":"string","field-id":2})", records);
  const Schema projection{.fields = {Column(1, "n", TypeId::kLong)}};
  auto reader = DataFileReader::Open(*store_, file, projection).value();
  const std::vector<int64_t> positions = {0, 70, 71, 499};
  EXPECT_TRUE(SameRows(*ReadRows(*reader, positions).value(), *Rows(projection, "[[0], [70], [71], [499]]")));
  EXPECT_TRUE(
      SameRows(*ReadRows(*reader, {70, 70, 499, 499}).value(), *Rows(projection, "[[70], [70], [499], [499]]")));
  EXPECT_FALSE(ReadRows(*reader, {500}).has_value());
  int64_t rows = 0, batches = 0;
  while (const auto batch = reader->Next().value()) {
    rows += batch->num_rows();
    ++batches;
  }
  EXPECT_EQ(rows, 500);
  EXPECT_GT(batches, 1) << "one block at a time";
}

TEST_F(AvroFileTest, ReadsALargeBlockInParts) {
  // One block, as a writer with a long sync interval makes it.
  AvroEncoder records;
  const std::string wide(99'994, 'x');
  for (int64_t i = 100'000; i < 100'400; ++i) {
    records.Long(i);
    records.Bytes(std::to_string(i) + wide);
  }
  const std::string schema =
      R"({"type":"record","name":"table","fields":[{"name":"n","type":"long","field-id":1},{"name":"s","type":"string","field-id":2}]})";
  std::string content = AvroWriter(schema, {}, BlockCodec::kNone).Finish().value();
  const std::string marker = content.substr(content.size() - 16);
  AvroEncoder head;
  head.Long(400);
  head.Bytes(records.bytes());
  const DataFile file{.file_path = Location("x.avro"), .file_format = "AVRO"};
  ASSERT_TRUE(store_->Write(file.file_path, content + head.bytes() + marker).has_value());
  const Schema projection{.fields = {Column(1, "n", TypeId::kLong), Column(2, "s", TypeId::kString)}};
  auto reader = DataFileReader::Open(*store_, file, projection).value();
  int64_t rows = 0;
  while (const auto batch = reader->Next().value()) {
    EXPECT_LE(batch->num_rows() * 100'000, 2 * kBatchBytes);
    for (int64_t i = 0; i < batch->num_rows(); ++i, ++rows) {
      ASSERT_EQ(static_cast<const arrow::Int64Array&>(*batch->column(0)).Value(i), 100'000 + rows);
    }
  }
  EXPECT_EQ(rows, 400);
  const auto some = ReadRows(*reader, {0, 0, 399}).value();
  EXPECT_EQ(static_cast<const arrow::Int64Array&>(*some->column(0)).Value(2), 100'399);
}

TEST_F(AvroFileTest, RefusesATypeThatTheColumnNeverHad) {
  const DataFile file =
      WriteAvro(R"({"name":"n","type":"long","field-id":1})", {[](AvroEncoder& encoder) { encoder.Long(1); }});
  for (const TypeId type : {TypeId::kString, TypeId::kInt, TypeId::kTimestamp, TypeId::kUuid}) {
    const auto reader = DataFileReader::Open(*store_, file, {.fields = {Column(1, "n", type)}});
    ASSERT_FALSE(reader.has_value());
    EXPECT_EQ(reader.error().kind(), ErrorKind::kSchemaMismatch);
    EXPECT_THAT(reader.error().message(), HasSubstr("column n"));
  }
}

TEST_F(AvroFileTest, TellsAMapFromAListOfPairs) {
  const std::string items = R"("items":{"type":"record","name":"p","fields":[{"name":"a","type":"int","field-id":2},)"
                            R"({"name":"b","type":"int","field-id":3}]})";
  const std::vector<std::function<void(AvroEncoder&)>> records = {[](AvroEncoder& encoder) { encoder.ArrayEnd(); }};
  const Schema map{
      .fields = {Column(1, "c", Type::Map(Column(2, "key", TypeId::kInt, true), Column(3, "value", TypeId::kInt)))}};
  const Schema list{
      .fields = {
          Column(1, "c",
                 Type::List(Column(4, "element",
                                   Type::Struct({Column(2, "a", TypeId::kInt), Column(3, "b", TypeId::kInt)}))))}};
  DataFile file = WriteAvro(R"({"name":"c","field-id":1,"type":{"type":"array",)" + items + "}}", records);
  EXPECT_EQ(ReadAvro(file, list)->num_rows(), 1);
  EXPECT_EQ(DataFileReader::Open(*store_, file, map).error().kind(), ErrorKind::kSchemaMismatch);
  file = WriteAvro(R"({"name":"c","field-id":1,"type":{"type":"array","logicalType":"map",)" + items + "}}", records);
  EXPECT_EQ(ReadAvro(file, map)->num_rows(), 1);
  EXPECT_EQ(DataFileReader::Open(*store_, file, list).error().kind(), ErrorKind::kSchemaMismatch);
}

TEST_F(AvroFileTest, NeverTakesDamagedBytesForRows) {
  const Schema projection{
      .fields = {Column(1, "n", TypeId::kLong), Column(2, "l", Type::List(Column(3, "element", TypeId::kString)))}};
  const DataFile file = WriteAvro(
      R"({"name":"n","type":"long","field-id":1},{"name":"l","type":{"type":"array","items":"string","element-id":3},"field-id":2})",
      {[](AvroEncoder& encoder) {
        encoder.Long(1);
        encoder.ArrayBlock(2);
        encoder.Bytes("a");
        encoder.Bytes("b");
        encoder.ArrayEnd();
      }});
  const std::string whole = store_->Read(file.file_path).value();
  const auto read = [&](const std::string& bytes) -> Status {
    EXPECT_TRUE(store_->Write(file.file_path, bytes).has_value());
    TRY(auto reader, DataFileReader::Open(*store_, file, projection));
    TRY(auto rows, reader->Next());
    EXPECT_TRUE(!rows || rows->Validate().ok());  // Not that text is UTF-8.
    return {};
  };
  for (size_t cut = 0; cut < whole.size(); ++cut) {
    const Status status = read(whole.substr(0, cut));
    EXPECT_TRUE(status.has_value() || status.error().kind() == ErrorKind::kCorrupt) << cut;
  }
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x15);
    const Status status = read(damaged);
    if (status.has_value()) continue;
    const ErrorKind kind = status.error().kind();
    EXPECT_TRUE(kind == ErrorKind::kCorrupt || kind == ErrorKind::kUnsupported || kind == ErrorKind::kSchemaMismatch)
        << i << ": " << status.error().message();
  }
}

}  // namespace
}  // namespace firn::iceberg
