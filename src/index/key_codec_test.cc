#include "index/key_codec.h"

#include <arrow/api.h>
#include <arrow/json/from_string.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <tuple>

namespace firn::index {
namespace {

using ::testing::HasSubstr;

std::shared_ptr<arrow::Array> FromJson(const std::shared_ptr<arrow::DataType>& type, const std::string& json) {
  return arrow::json::ArrayFromJSONString(type, json).ValueOrDie();
}

std::shared_ptr<arrow::RecordBatch> BatchOf(const std::vector<std::shared_ptr<arrow::Array>>& arrays) {
  std::vector<std::shared_ptr<arrow::Field>> fields;
  for (const auto& array : arrays) fields.push_back(arrow::field(fmt::format("c{}", fields.size()), array->type()));
  return arrow::RecordBatch::Make(arrow::schema(fields), arrays[0]->length(), arrays);
}

std::vector<std::string> Encode(const std::vector<std::shared_ptr<arrow::Array>>& arrays) {
  std::vector<int> columns;
  for (size_t i = 0; i < arrays.size(); ++i) columns.push_back(static_cast<int>(i));
  const auto keys = EncodeKeys(*BatchOf(arrays), columns);
  EXPECT_TRUE(keys.has_value()) << keys.error().message();
  std::vector<std::string> copies;
  for (size_t row = 0; row < keys->size(); ++row) copies.emplace_back((*keys)[row]);
  return copies;
}

std::string Hex(std::string_view bytes) {
  std::string hex;
  for (unsigned char byte : bytes) hex += fmt::format("{:02x}", byte);
  return hex;
}

std::vector<std::string> HexKeys(const std::vector<std::shared_ptr<arrow::Array>>& arrays) {
  std::vector<std::string> hex;
  for (const std::string& key : Encode(arrays)) hex.push_back(Hex(key));
  return hex;
}

void ExpectStrictlyAscending(const std::vector<std::string>& keys) {
  for (size_t i = 1; i < keys.size(); ++i) EXPECT_LT(keys[i - 1], keys[i]) << "rows " << i - 1 << " and " << i;
}

using Hexes = std::vector<std::string>;

// The bytes are on disk: a change of any of these needs a new format version of the index.
TEST(KeyCodec, WritesTheDocumentedBytes) {
  EXPECT_EQ(HexKeys({FromJson(arrow::int32(), "[1, -1, null]")}), (Hexes{"80000001", "7fffffff", ""}));
  EXPECT_EQ(HexKeys({FromJson(arrow::int64(), "[1]")}), (Hexes{"8000000000000001"}));
  EXPECT_EQ(HexKeys({FromJson(arrow::utf8(), R"(["ab", "", "a\u0000b", null])")}),
            (Hexes{"01616200", "0100", "016100ff6200", "00"}));
  EXPECT_EQ(HexKeys({FromJson(arrow::int32(), "[1, null]"), FromJson(arrow::boolean(), "[true, false]")}),
            (Hexes{"01800000010101", "000100"}));
  EXPECT_EQ(HexKeys({FromJson(arrow::float64(), "[1.5, -1.5, 0.0]")}),
            (Hexes{"bff8000000000000", "4007ffffffffffff", "8000000000000000"}));
  EXPECT_EQ(HexKeys({FromJson(arrow::decimal128(10, 2), R"(["1.00", "-0.01"])")}),
            (Hexes{"80000000000000000000000000000064", "7fffffffffffffffffffffffffffffff"}));
  EXPECT_EQ(HexKeys({FromJson(arrow::fixed_size_binary(2), R"(["ab"])")}), (Hexes{"6162"}));
  EXPECT_EQ(HexKeys({FromJson(arrow::date32(), "[1]")}), (Hexes{"80000001"}));
  EXPECT_EQ(HexKeys({FromJson(arrow::time64(arrow::TimeUnit::MICRO), "[1]")}), (Hexes{"8000000000000001"}));
  EXPECT_EQ(HexKeys({FromJson(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), "[1]")}), (Hexes{"8000000000000001"}));
  EXPECT_EQ(HexKeys({FromJson(arrow::list(arrow::int32()), "[[1, null], [], null]")}),
            (Hexes{"0102800000010100", "0100", "00"}));
  const auto point = arrow::struct_({arrow::field("x", arrow::int32()), arrow::field("y", arrow::utf8())});
  EXPECT_EQ(HexKeys({FromJson(point, R"([{"x": 1, "y": null}, null])")}), (Hexes{"01018000000100", "00"}));
}

TEST(KeyCodec, SortsAsIntegersDo) {
  ExpectStrictlyAscending(Encode({FromJson(arrow::int32(), "[-2147483648, -65536, -1, 0, 1, 255, 256, 2147483647]")}));
  ExpectStrictlyAscending(Encode(
      {FromJson(arrow::int64(), "[-9223372036854775808, -4294967296, -1, 0, 1, 4294967296, 9223372036854775807]")}));
  ExpectStrictlyAscending(
      Encode({FromJson(arrow::int32(), "[-1, -1, 0, 0]"), FromJson(arrow::int64(), "[1, 2, -5, 3]")}));
  ExpectStrictlyAscending(Encode({FromJson(arrow::decimal128(38, 0), R"(["-18446744073709551617", "-1", "0", "1",
                                                                          "18446744073709551616"])")}));
}

TEST(KeyCodec, SortsAsStringsDo) {
  ExpectStrictlyAscending(Encode(
      {FromJson(arrow::utf8(), R"([null, "", "\u0000", "\u0000\u0000", "\u0001", "a", "a\u0000", "a\u0000b", "a\u0001",
                                         "ab", "b", "ü"])")}));
}

TEST(KeyCodec, SortsAsFloatsDoWithNaNLast) {
  const double infinity = std::numeric_limits<double>::infinity();
  arrow::DoubleBuilder builder;
  ASSERT_TRUE(builder.AppendValues({-infinity, -1e300, -1.0, -5e-324, 0.0, 5e-324, 1.0, infinity, std::nan("")}).ok());
  ExpectStrictlyAscending(Encode({builder.Finish().ValueOrDie()}));
}

TEST(KeyCodec, TreatsMinusZeroAsZeroAndAllNaNsAlike) {
  arrow::DoubleBuilder doubles;
  ASSERT_TRUE(doubles.AppendValues({0.0, -0.0, std::nan("1"), -std::nan("2")}).ok());
  const auto wide = Encode({doubles.Finish().ValueOrDie()});
  EXPECT_EQ(wide[0], wide[1]);
  EXPECT_EQ(wide[2], wide[3]);
  EXPECT_NE(wide[0], wide[2]);
  arrow::FloatBuilder floats;
  ASSERT_TRUE(floats.AppendValues({0.0f, -0.0f, std::nanf("1"), -std::nanf("2")}).ok());
  const auto narrow = Encode({floats.Finish().ValueOrDie()});
  EXPECT_EQ(narrow[0], narrow[1]);
  EXPECT_EQ(narrow[2], narrow[3]);
}

TEST(KeyCodec, KeepsColumnsApart) {
  const auto strings = Encode({FromJson(arrow::utf8(), R"(["a", "ab", "a", null, "", "a\u0000"])"),
                               FromJson(arrow::utf8(), R"(["bc", "c", null, "a", "a", ""])")});
  for (size_t i = 0; i < strings.size(); ++i) {
    for (size_t j = i + 1; j < strings.size(); ++j) EXPECT_NE(strings[i], strings[j]) << i << " and " << j;
  }
  const auto lists =
      Encode({FromJson(arrow::list(arrow::utf8()), R"([["a", "b"], ["ab"], ["a"], [], null, [null], ["a", "b"]])"),
              FromJson(arrow::list(arrow::utf8()), R"([["c"], ["c"], ["b", "c"], ["a"], [], [], []])")});
  for (size_t i = 0; i < lists.size(); ++i) {
    for (size_t j = i + 1; j < lists.size(); ++j) EXPECT_NE(lists[i], lists[j]) << i << " and " << j;
  }
}

TEST(KeyCodec, GivesTheSameBytesWhateverTheSchemaSaysOfNulls) {
  const auto values = FromJson(arrow::utf8(), R"(["a", "b"])");
  const auto numbers = FromJson(arrow::int32(), "[1, 2]");
  const auto encode = [&](bool nullable) {
    const auto schema =
        arrow::schema({arrow::field("a", values->type(), nullable), arrow::field("b", numbers->type(), nullable)});
    const auto keys = EncodeKeys(*arrow::RecordBatch::Make(schema, 2, {values, numbers}), {0, 1});
    return std::string((*keys)[0]) + "|" + std::string((*keys)[1]);
  };
  EXPECT_EQ(encode(true), encode(false));
}

TEST(KeyCodec, TakesColumnsInTheOrderAskedFor) {
  const auto batch = BatchOf({FromJson(arrow::int32(), "[1]"), FromJson(arrow::utf8(), R"(["a"])")});
  const auto keys = EncodeKeys(*batch, {1, 0});
  ASSERT_TRUE(keys.has_value());
  EXPECT_EQ(Hex((*keys)[0]), "0161000180000001");
}

TEST(KeyCodec, ReadsSlicesFromTheirOffset) {
  const auto batch = BatchOf(
      {FromJson(arrow::int64(), "[1, 2, null, 4]"), FromJson(arrow::utf8(), R"(["a", null, "c", "d"])"),
       FromJson(arrow::boolean(), "[true, false, true, false]"),
       FromJson(arrow::list(arrow::int32()), "[[1], [2, 3], null, [4]]"),
       FromJson(arrow::struct_({arrow::field("x", arrow::int32())}), R"([{"x": 1}, {"x": 2}, {"x": 3}, {"x": 4}])"),
       FromJson(arrow::decimal128(5, 0), R"(["1", "2", "3", "4"])")});
  for (const std::vector<int>& columns : {std::vector<int>{0}, {1}, {2}, {3}, {4}, {5}, {0, 1, 2, 3, 4, 5}}) {
    const auto whole = EncodeKeys(*batch, columns);
    const auto slice = EncodeKeys(*batch->Slice(1, 3), columns);
    ASSERT_TRUE(whole.has_value() && slice.has_value());
    ASSERT_EQ(slice->size(), 3u);
    for (size_t row = 0; row < 3; ++row) EXPECT_EQ((*slice)[row], (*whole)[row + 1]) << "column " << columns[0];
  }
}

TEST(KeyCodec, GivesNoKeysForNoRows) {
  EXPECT_TRUE(Encode({FromJson(arrow::int32(), "[]")}).empty());
  EXPECT_TRUE(Encode({FromJson(arrow::utf8(), "[]"), FromJson(arrow::int32(), "[]")}).empty());
}

TEST(KeyCodec, RefusesTypesThatItDoesNotKnow) {
  const auto keys = EncodeKeys(*BatchOf({FromJson(arrow::list(arrow::large_utf8()), R"([["a"]])")}), {0});
  ASSERT_FALSE(keys.has_value());
  EXPECT_EQ(keys.error().kind(), ErrorKind::kUnsupported);
  EXPECT_THAT(keys.error().message(), HasSubstr("column c0"));
  EXPECT_FALSE(EncodeKeys(*BatchOf({FromJson(arrow::int32(), "[1]")}), {1}).has_value());
  EXPECT_FALSE(EncodeKeys(*BatchOf({FromJson(arrow::int32(), "[1]")}), {}).has_value());
}

// Rows out of few values, so that equal ones and near ones are common: their keys must be equal, and in the same order,
// exactly when the rows are.
TEST(KeyCodec, IsInjectiveAndKeepsTheOrderOfRandomRows) {
  using Row = std::tuple<std::optional<std::string>, std::optional<int32_t>,
                         std::optional<std::vector<std::optional<std::string>>>>;
  std::mt19937 random(20240229);
  const auto below = [&](unsigned bound) { return random() % bound; };
  const auto random_string = [&] {
    std::string text;
    for (auto size = below(4); size > 0; --size) text.push_back(std::string_view("\0\1\2a\xff", 5)[below(5)]);
    return text;
  };
  std::vector<Row> rows(1500);
  arrow::BinaryBuilder binaries;
  arrow::Int32Builder integers;
  auto elements = std::make_shared<arrow::BinaryBuilder>();
  arrow::ListBuilder lists(arrow::default_memory_pool(), elements);
  for (auto& [text, number, list] : rows) {
    if (below(6) > 0) text = random_string();
    if (below(6) > 0) number = static_cast<int32_t>(below(3)) - 1;
    if (below(6) > 0) {
      list.emplace();
      for (auto size = below(3); size > 0; --size) {
        list->push_back(below(4) > 0 ? std::optional(random_string()) : std::nullopt);
      }
    }
    ASSERT_TRUE((text ? binaries.Append(*text) : binaries.AppendNull()).ok());
    ASSERT_TRUE((number ? integers.Append(*number) : integers.AppendNull()).ok());
    ASSERT_TRUE((list ? lists.Append() : lists.AppendNull()).ok());
    for (const auto& element : list.value_or(std::vector<std::optional<std::string>>())) {
      ASSERT_TRUE((element ? elements->Append(*element) : elements->AppendNull()).ok());
    }
  }
  const auto keys =
      Encode({binaries.Finish().ValueOrDie(), integers.Finish().ValueOrDie(), lists.Finish().ValueOrDie()});
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      ASSERT_EQ(rows[i] == rows[j], keys[i] == keys[j]) << Hex(keys[i]) << " and " << Hex(keys[j]);
      ASSERT_EQ(rows[i] < rows[j], keys[i] < keys[j]) << Hex(keys[i]) << " and " << Hex(keys[j]);
    }
  }
}

TEST(EncodedKeys, KnowWhichKeyAViewIs) {
  const auto batch =
      BatchOf({FromJson(arrow::utf8(), R"(["a", "", "a", "b"])"), FromJson(arrow::int32(), "[1, 2, 1, 3]")});
  const auto keys = EncodeKeys(*batch, {0, 1}).value();
  const auto others = EncodeKeys(*batch, {0, 1}).value();
  for (size_t row = 0; row < keys.size(); ++row) {
    EXPECT_EQ(keys.Find(keys[row]), row);
    EXPECT_EQ(keys.Find(others[row]), std::nullopt);
    EXPECT_EQ(keys.Find(keys[row].substr(1)), std::nullopt);
  }
}

}  // namespace
}  // namespace firn::index
