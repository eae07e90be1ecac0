#include "postgres/table_copy_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "postgres/hex.h"

namespace firn::postgres {
namespace {

using testing::HasSubstr;

const TableName kTable{"Shop", "Order \"Items\""};

TEST(CopySqlTest, ReadsAnOrdinaryTableWithoutItsChildren) {
  EXPECT_EQ(
      CopySql({.table = kTable, .columns = {"\"id\"", "\"status\"::text"}}),
      "COPY (SELECT \"id\", \"status\"::text FROM ONLY \"Shop\".\"Order \"\"Items\"\"\") TO STDOUT (FORMAT binary)");
}

TEST(CopySqlTest, ReadsAPartitionedRootThroughItsPartitions) {
  EXPECT_EQ(CopySql({.table = {"s", "t"}, .columns = {"\"a\""}, .blocks = BlockRange{0, 10}}, /*partitioned=*/true),
            "COPY (SELECT \"a\" FROM \"s\".\"t\") TO STDOUT (FORMAT binary)");
}

TEST(CopySqlTest, CutsATableIntoBlockRangesWithoutGaps) {
  const auto where = [](BlockRange blocks) {
    const std::string sql = CopySql({.table = {"s", "t"}, .columns = {"\"a\""}, .blocks = blocks});
    const size_t begin = sql.find(" WHERE");
    return begin == std::string::npos ? "" : sql.substr(begin, sql.find(") TO") - begin);
  };
  EXPECT_EQ(where({0, std::nullopt}), "");
  EXPECT_EQ(where({0, 100}), " WHERE ctid < '(100,0)'::tid");
  EXPECT_EQ(where({100, 200}), " WHERE ctid >= '(100,0)'::tid AND ctid < '(200,0)'::tid");
  EXPECT_EQ(where({200, std::nullopt}), " WHERE ctid >= '(200,0)'::tid");
}

TEST(CopySqlTest, ReadsWhatAConditionSays) {
  EXPECT_EQ(CopySql({.table = {"s", "t"}, .columns = {"\"a\""}, .condition = "\"a\" > 1"}),
            "COPY (SELECT \"a\" FROM ONLY \"s\".\"t\" WHERE \"a\" > 1) TO STDOUT (FORMAT binary)");
}

TEST(CopySqlTest, SelectsNullFromATableWithoutColumns) {
  EXPECT_EQ(CopySql({.table = {"s", "t"}}), "COPY (SELECT NULL FROM ONLY \"s\".\"t\") TO STDOUT (FORMAT binary)");
}

constexpr char kHeader[] = "5047434f50590aff0d0a00 00000000 00000000";

TEST(ParseCopyHeaderTest, GivesItsSize) { EXPECT_EQ(ParseCopyHeader(FromHex(kHeader) + "rows"), 19u); }

TEST(ParseCopyHeaderTest, SkipsTheExtensionArea) {
  EXPECT_EQ(ParseCopyHeader(FromHex("5047434f50590aff0d0a00 00000001 00000003 616263 ffff")), 22u);
}

TEST(ParseCopyHeaderTest, RefusesUnknownCriticalFlags) {
  const auto size = ParseCopyHeader(FromHex("5047434f50590aff0d0a00 00010000 00000000"));
  ASSERT_FALSE(size.has_value());
  EXPECT_EQ(size.error().kind(), ErrorKind::kUnsupported);
}

TEST(ParseCopyHeaderTest, RefusesEveryPrefixAndNegativeSizes) {
  const std::string header = FromHex(kHeader);
  for (size_t size = 0; size < header.size(); ++size) {
    EXPECT_FALSE(ParseCopyHeader(std::string_view(header).substr(0, size)).has_value()) << size;
  }
  EXPECT_FALSE(ParseCopyHeader(FromHex("5047434f50590aff0d0a00 00000000 ffffffff")).has_value());
}

// int4 1, text "ab", NULL
constexpr char kRow[] = "0003 00000004 00000001 00000002 6162 ffffffff";

TEST(ParseCopyRowTest, BorrowsTheRowsValues) {
  const std::string row = FromHex(kRow);
  std::vector<WireValue> values;
  const auto parsed = ParseCopyRow(row, values);
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message();
  EXPECT_TRUE(*parsed);
  ASSERT_EQ(values.size(), 3u);
  EXPECT_EQ(values[0].data, row.data() + 6);
  EXPECT_EQ(values[0].size, 4);
  EXPECT_EQ(values[0].format, WireFormat::kBinary);
  EXPECT_EQ(values[1].bytes(), "ab");
  EXPECT_EQ(values[2].format, WireFormat::kNull);
  EXPECT_EQ(values[2].data, nullptr);
}

TEST(ParseCopyRowTest, TellsEmptyFromNull) {
  std::vector<WireValue> values;
  ASSERT_TRUE(ParseCopyRow(FromHex("0001 00000000"), values).has_value());
  EXPECT_EQ(values[0].format, WireFormat::kBinary);
  EXPECT_EQ(values[0].size, 0);
}

TEST(ParseCopyRowTest, EndsAtTheMarker) {
  std::vector<WireValue> values;
  const auto parsed = ParseCopyRow(FromHex("ffff"), values);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_FALSE(*parsed);
}

TEST(ParseCopyRowTest, RefusesEveryPrefix) {
  const std::string row = FromHex(kRow);
  std::vector<WireValue> values;
  for (size_t size = 0; size < row.size(); ++size) {
    const std::vector<char> prefix(row.begin(), row.begin() + static_cast<ptrdiff_t>(size));
    const auto parsed = ParseCopyRow({prefix.data(), prefix.size()}, values);
    ASSERT_FALSE(parsed.has_value()) << size;
    EXPECT_EQ(parsed.error().kind(), ErrorKind::kCorrupt);
    EXPECT_TRUE(values.empty());
  }
}

TEST(ParseCopyRowTest, RefusesImpossibleCountsAndSizes) {
  std::vector<WireValue> values;
  for (const char* hex : {"fffe", "ffff 00", "0001 fffffffe", "0001 7fffffff", "0001 00000001 61 62", "7fff"}) {
    const auto parsed = ParseCopyRow(FromHex(hex), values);
    ASSERT_FALSE(parsed.has_value()) << hex;
    EXPECT_EQ(parsed.error().kind(), ErrorKind::kCorrupt) << hex;
  }
}

TEST(ParseCopyRowTest, SaysAtWhichByteARowIsBroken) {
  std::vector<WireValue> values;
  const auto parsed = ParseCopyRow(FromHex("0001 00000005 6162"), values);
  ASSERT_FALSE(parsed.has_value());
  EXPECT_THAT(parsed.error().message(), HasSubstr("byte 6 of 8"));
}

}  // namespace
}  // namespace firn::postgres
