#include "iceberg/murmur3.h"

#include <gtest/gtest.h>

#include <string>

namespace firn::iceberg {
namespace {

using namespace std::string_literals;

int32_t Signed(uint32_t hash) { return static_cast<int32_t>(hash); }

// Spec: "Appendix B: 32-bit Hash Requirements".
TEST(Murmur3Test, GivesTheSpecsExamples) {
  EXPECT_EQ(Signed(Murmur3(int64_t{34})), 2017239379);
  EXPECT_EQ(Signed(Murmur3("\x05\x8C"s)), -500754589);              // 14.20
  EXPECT_EQ(Signed(Murmur3(int64_t{17486})), -653330422);           // 2017-11-16
  EXPECT_EQ(Signed(Murmur3(int64_t{81'068'000'000})), -662762989);  // 22:31:08
  EXPECT_EQ(Signed(Murmur3(int64_t{1'510'871'468'000'000})), -2047944441);
  EXPECT_EQ(Signed(Murmur3(int64_t{1'510'871'468'000'001})), -1207196810);
  EXPECT_EQ(Signed(Murmur3("iceberg")), 1210000089);
  EXPECT_EQ(Signed(Murmur3("\x00\x01\x02\x03"s)), -188683207);
  EXPECT_EQ(Signed(Murmur3("\xF7\x9C\x3E\x09\x67\x7C\x4B\xBD\xA4\x79\x3F\x34\x9C\xB7\x85\xE7"s)), 1488055340);
}

TEST(Murmur3Test, HashesANumberAsItsBytes) {
  EXPECT_EQ(Murmur3(int64_t{0x0807060504030201}), Murmur3("\x01\x02\x03\x04\x05\x06\x07\x08"s));
  EXPECT_EQ(Murmur3(int64_t{-1}), Murmur3(std::string(8, '\xFF')));
}

TEST(Murmur3Test, TakesEveryLengthOfTail) {
  EXPECT_EQ(Murmur3(""), 0u);
  // What the reference implementation gives for these.
  EXPECT_EQ(Murmur3("a"), 0x3C2569B2u);
  EXPECT_EQ(Murmur3("ab"), 0x9BBFD75Fu);
  EXPECT_EQ(Murmur3("abc"), 0xB3DD93FAu);
  EXPECT_EQ(Murmur3("\xFF\xFF\xFF"s), Murmur3(std::string(3, '\xFF')));
}

}  // namespace
}  // namespace firn::iceberg
