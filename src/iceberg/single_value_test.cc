#include "iceberg/single_value.h"

#include <gtest/gtest.h>

namespace firn::iceberg {
namespace {

using namespace std::string_literals;

TEST(SingleValueTest, WritesNumbersLittleEndian) {
  EXPECT_EQ(SingleValue(true), "\x01"s);
  EXPECT_EQ(SingleValue(false), "\x00"s);
  EXPECT_EQ(SingleValue(int32_t{1}), "\x01\x00\x00\x00"s);
  EXPECT_EQ(SingleValue(int64_t{-2}), "\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s);
  EXPECT_EQ(SingleValue(1.0f), "\x00\x00\x80\x3F"s);
  EXPECT_EQ(SingleValue(-1.0), "\x00\x00\x00\x00\x00\x00\xF0\xBF"s);
}

TEST(SingleValueTest, HasNoBytesForNull) {
  EXPECT_EQ(SingleValue(Literal()), std::nullopt);
  EXPECT_EQ(SingleValue(Literal(int32_t{7})), "\x07\x00\x00\x00"s);
  EXPECT_EQ(SingleValue(Literal("abc"s)), "abc");
}

TEST(SingleValueTest, WritesDecimalsInTheFewestBytes) {
  EXPECT_EQ(DecimalSingleValue(0), "\x00"s);
  EXPECT_EQ(DecimalSingleValue(142), "\x00\x8E"s);  // as Java writes 14.2 of decimal(4,1)
  EXPECT_EQ(DecimalSingleValue(-1), "\xFF"s);
  EXPECT_EQ(DecimalSingleValue(-128), "\x80"s);
  EXPECT_EQ(DecimalSingleValue(-129), "\xFF\x7F"s);
  EXPECT_EQ(DecimalSingleValue("\xFF\xFF\xFF\xFE\x71\x16"), "\xFE\x71\x16"s);
  EXPECT_EQ(DecimalSingleValue("\x00\x00\x7F"s), "\x7F"s);
}

TEST(BoundTest, KeepsShortValues) {
  EXPECT_EQ(LowerBoundOfString("abc", 16), "abc");
  EXPECT_EQ(UpperBoundOfString("abc", 16), "abc");
  EXPECT_EQ(UpperBoundOfString("0123456789abcdef", 16), "0123456789abcdef");
  EXPECT_EQ(UpperBoundOfString("", 16), "");
  EXPECT_EQ(UpperBoundOfBinary("\xFF\xFF", 2), "\xFF\xFF");
}

TEST(BoundTest, CutsStringsBetweenCodePointsAndRaisesTheUpperBound) {
  EXPECT_EQ(LowerBoundOfString("abcdef", 3), "abc");
  EXPECT_EQ(UpperBoundOfString("abcdef", 3), "abd");
  EXPECT_EQ(LowerBoundOfString("äöüß", 3), "äöü");
  EXPECT_EQ(UpperBoundOfString("äöüß", 3), "äöý");
  EXPECT_EQ(UpperBoundOfString("日本語x", 3), "日本誟");
  EXPECT_EQ(UpperBoundOfString("a\x7F-", 2), "a\xC2\x80");                  // one byte becomes two
  EXPECT_EQ(UpperBoundOfString("a\xDF\xBF-", 2), "a\xE0\xA0\x80");          // two become three
  EXPECT_EQ(UpperBoundOfString("a\xEF\xBF\xBF-", 2), "a\xF0\x90\x80\x80");  // three become four
}

TEST(BoundTest, StepsOverWhatIsNoCharacter) {
  EXPECT_EQ(UpperBoundOfString("\xED\x9F\xBF-", 1), "\xEE\x80\x80");  // U+D7FF, then U+E000
  EXPECT_EQ(UpperBoundOfString("a\xF4\x8F\xBF\xBF-", 2), "b");        // U+10FFFF is the last
  EXPECT_EQ(UpperBoundOfString("\xF4\x8F\xBF\xBF-", 1), std::nullopt);
}

TEST(BoundTest, CutsBytesAndRaisesTheUpperBound) {
  EXPECT_EQ(LowerBoundOfBinary("\x01\x02\x03", 2), "\x01\x02");
  EXPECT_EQ(UpperBoundOfBinary("\x01\x02\x03", 2), "\x01\x03");
  EXPECT_EQ(UpperBoundOfBinary("\x01\xFF\x03", 2), "\x02");
  EXPECT_EQ(UpperBoundOfBinary("\xFF\xFF\x03", 2), std::nullopt);
}

}  // namespace
}  // namespace firn::iceberg
