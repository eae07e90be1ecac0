#include "iceberg/avro_container.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace firn::iceberg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kSchema[] = R"({"type":"record","name":"r","fields":[{"name":"n","type":"long","field-id":1},)"
                           R"({"name":"s","type":["null","string"],"field-id":2},)"
                           R"({"name":"list","type":{"type":"array","items":"int"},"field-id":3},)"
                           R"({"name":"f","type":{"type":"fixed","name":"four","size":4},"field-id":4},)"
                           R"({"name":"again","type":"four","field-id":5}]})";

struct Row {
  int64_t n = 0;
  std::optional<std::string> s;
  std::vector<int32_t> list;
  std::string f;
  bool operator==(const Row&) const = default;
};

std::string Encode(const Row& row) {
  AvroEncoder encoder;
  encoder.Long(row.n);
  if (row.s) {
    encoder.NotNull();
    encoder.Bytes(*row.s);
  } else {
    encoder.Null();
  }
  encoder.ArrayBlock(row.list.size());
  for (int32_t item : row.list) encoder.Long(item);
  encoder.ArrayEnd();
  encoder.Fixed(row.f);
  encoder.Fixed(row.f);
  return encoder.bytes();
}

Result<std::vector<Row>> Decode(std::string_view file) {
  TRY(auto reader, AvroReader::Open(file));
  std::vector<Row> rows;
  const auto read = [&rows](AvroDecoder& decoder, const AvroType& type) -> Status {
    Row row;
    decoder.Record(type, [&](int32_t id, const AvroType& field) {
      const AvroType& present = decoder.Resolve(field);
      if (id == 1)
        row.n = decoder.Long(present);
      else if (id == 2 && present.kind != AvroKind::kNull)
        row.s = decoder.Bytes(present);
      else if (id == 3)
        decoder.Array(present, [&](const AvroType& item) { row.list.push_back(decoder.Int(item)); });
      else if (id == 4)
        row.f = decoder.Bytes(present);
      else
        decoder.Skip(present);
    });
    rows.push_back(std::move(row));
    return {};
  };
  TRY_VOID(reader.ForEach(read));
  return rows;
}

const std::vector<Row> kRows = {
    {.n = 0, .s = "", .list = {}, .f = "abcd"},
    {.n = -1, .s = std::nullopt, .list = {1, -2, 3}, .f = "efgh"},
    {.n = std::numeric_limits<int64_t>::max(), .s = std::string(300, 'x'), .list = {1 << 30}, .f = "ijkl"},
    {.n = std::numeric_limits<int64_t>::min(), .s = "ü", .list = {-2147483647 - 1}, .f = std::string(4, '\0')},
};

std::string File(BlockCodec codec, const std::vector<Row>& rows = kRows) {
  AvroWriter writer(kSchema, {{"key", "value"}}, codec);
  for (const Row& row : rows) EXPECT_TRUE(writer.Append(Encode(row)).has_value());
  return std::move(writer).Finish().value();
}

TEST(AvroContainer, ReadsWhatItWroteWithBothCodecs) {
  for (BlockCodec codec : {BlockCodec::kNone, BlockCodec::kDeflate}) {
    const std::string file = File(codec);
    EXPECT_EQ(Decode(file).value(), kRows);
    auto reader = AvroReader::Open(file).value();
    EXPECT_EQ(reader.Metadata("key"), "value");
    EXPECT_EQ(reader.Metadata("avro.codec"), codec == BlockCodec::kNone ? "null" : "deflate");
    EXPECT_EQ(reader.Metadata("other"), std::nullopt);
  }
}

TEST(AvroContainer, ReadsManyBlocks) {
  std::vector<Row> rows;
  for (int i = 0; i < 20'000; ++i) rows.push_back({.n = i, .s = fmt::format("row {}", i), .list = {i}, .f = "abcd"});
  EXPECT_EQ(Decode(File(BlockCodec::kDeflate, rows)).value(), rows);
  EXPECT_EQ(Decode(File(BlockCodec::kNone, {})).value(), std::vector<Row>());
}

TEST(AvroContainer, ReadsTheOtherCodecsOfOtherWriters) {
  // A block of the codec, put by hand where the writer puts its own.
  for (BlockCodec codec : {BlockCodec::kSnappy, BlockCodec::kZstandard}) {
    const std::string header = File(codec, {});
    const std::string sync = header.substr(header.size() - 16);
    std::string block = Compress(codec, Encode(kRows[2])).value();
    if (codec == BlockCodec::kSnappy) block += "crc!";
    AvroEncoder encoder;
    encoder.Long(1);
    encoder.Bytes(block);
    encoder.Fixed(sync);
    EXPECT_THAT(Decode(header + encoder.bytes()).value(), ElementsAre(kRows[2]));
  }
}

TEST(AvroContainer, EstimatesItsSize) {
  AvroWriter writer(kSchema, {}, BlockCodec::kDeflate);
  std::mt19937 random(1);
  for (int i = 0; i < 5000; ++i) {
    std::string noise(40, ' ');
    for (char& c : noise) c = static_cast<char>('a' + random() % 26);
    ASSERT_TRUE(writer.Append(Encode({.n = i, .s = noise, .f = "abcd"})).has_value());
  }
  const double estimated = static_cast<double>(writer.estimated_bytes());
  const double size = static_cast<double>(std::move(writer).Finish().value().size());
  EXPECT_NEAR(estimated / size, 1.0, 0.1);
}

TEST(AvroContainer, GivesCorruptForEveryCut) {
  const std::string file = File(BlockCodec::kDeflate);
  for (size_t size = 0; size < file.size(); ++size) {
    auto rows = Decode(std::string_view(file).substr(0, size));
    // A file may end behind its header: then it has no rows.
    if (rows.has_value()) {
      EXPECT_TRUE(rows->empty());
    } else {
      EXPECT_EQ(rows.error().kind(), ErrorKind::kCorrupt);
    }
  }
}

TEST(AvroContainer, SurvivesChangedBytes) {
  std::mt19937 random(7);
  for (BlockCodec codec : {BlockCodec::kNone, BlockCodec::kDeflate, BlockCodec::kSnappy, BlockCodec::kZstandard}) {
    const std::string file = File(codec);
    for (int i = 0; i < 4000; ++i) {
      std::string changed = file;
      for (size_t n = 1 + random() % 4; n > 0; --n) changed[random() % changed.size()] = static_cast<char>(random());
      (void)Decode(changed);
    }
  }
}

/// A file whose schema and one block of plain bytes are as given.
std::string RawFile(std::string_view schema, int64_t records, std::string_view bytes) {
  AvroWriter writer(schema, {}, BlockCodec::kNone);
  std::string file = std::move(writer).Finish().value();
  const std::string sync = file.substr(file.size() - 16);
  AvroEncoder encoder;
  encoder.Long(records);
  encoder.Bytes(bytes);
  encoder.Fixed(sync);
  return file + encoder.bytes();
}

Status SkipAll(std::string_view file) {
  TRY(auto reader, AvroReader::Open(file));
  const auto skip = [](AvroDecoder& decoder, const AvroType& type) -> Status {
    decoder.Skip(type);
    return {};
  };
  return reader.ForEach(skip);
}

TEST(AvroContainer, BelievesNoCountThatItsBytesCannotHold) {
  EXPECT_EQ(SkipAll(RawFile(kSchema, 1'000'000'000'000, "")).error().kind(), ErrorKind::kCorrupt);
  EXPECT_EQ(SkipAll(RawFile(kSchema, -1, "")).error().kind(), ErrorKind::kCorrupt);
  // 2^62 items; a negative count with a size; the least of all counts.
  constexpr char kArray[] = R"({"type":"array","items":"long"})";
  AvroEncoder many, negative, least;
  many.Long(int64_t{1} << 62);
  negative.Long(-(int64_t{1} << 62));
  negative.Long(8);
  least.Long(std::numeric_limits<int64_t>::min());
  for (const AvroEncoder* encoder : {&many, &negative, &least}) {
    EXPECT_EQ(SkipAll(RawFile(kArray, 1, encoder->bytes())).error().kind(), ErrorKind::kCorrupt);
  }
  EXPECT_EQ(SkipAll(RawFile(R"({"type":"array","items":"null"})", 1, many.bytes())).error().kind(),
            ErrorKind::kUnsupported);
}

TEST(AvroContainer, SkipsArraysAndMapsInBlocksWithSizes) {
  AvroEncoder encoder;
  encoder.Long(-2);  // Two items, with the size in bytes of the block behind the count.
  encoder.Long(2);
  encoder.Long(5);
  encoder.Long(6);
  encoder.Long(0);
  EXPECT_TRUE(SkipAll(RawFile(R"({"type":"array","items":"long"})", 1, encoder.bytes())).has_value());
  AvroEncoder map;
  map.Long(1);
  map.Bytes("key");
  map.Long(5);
  map.Long(0);
  EXPECT_TRUE(SkipAll(RawFile(R"({"type":"map","values":"long"})", 1, map.bytes())).has_value());
}

TEST(AvroContainer, SkipsATreeOfEmptyRecordsAtOnce) {
  // Each record holds the one before twice: 2^40 leaves, none of which has a byte.
  std::string schema = R"({"type":"record","name":"r0","fields":[{"name":"a","type":"null"}]})";
  for (int i = 1; i <= 40; ++i) {
    schema = fmt::format(R"({{"type":"record","name":"r{0}","fields":[{{"name":"a","type":{1}}},)"
                         R"({{"name":"b","type":"r{2}"}}]}})",
                         i, schema, i - 1);
  }
  const std::string with_byte = fmt::format(
      R"({{"type":"record","name":"top","fields":[{{"name":"a","type":{}}},{{"name":"b","type":"long"}}]}})", schema);
  EXPECT_TRUE(SkipAll(RawFile(with_byte, 1, std::string(1, '\0'))).has_value());
}

TEST(AvroContainer, SaysWhatItCannotRead) {
  EXPECT_THAT(AvroReader::Open("PAR1").error().message(), HasSubstr("not an Avro file"));
  for (const char* schema : {"", "7", R"("unknown")", R"({"type":"record","name":"a"})", R"([["null"],"null"])",
                             R"({"type":"record","name":"a","fields":[{"name":"x","type":"a"}]})",
                             R"({"type":"fixed","name":"f","size":-1})"}) {
    auto reader = AvroReader::Open(RawFile(schema, 0, ""));
    if (reader.has_value()) continue;  // A record without fields is one.
    EXPECT_EQ(reader.error().kind(), ErrorKind::kCorrupt) << schema;
  }
}

TEST(AvroContainer, RefusesAFieldOfAnotherType) {
  AvroEncoder encoder;
  encoder.Double(1.5);
  constexpr char kDouble[] = R"({"type":"record","name":"r","fields":[{"name":"n","type":"double","field-id":1}]})";
  EXPECT_EQ(Decode(RawFile(kDouble, 1, encoder.bytes())).error().kind(), ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace firn::iceberg
