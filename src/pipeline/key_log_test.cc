#include "pipeline/key_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/results.h"

namespace firn::pipeline {
namespace {

using firn::testing::Value;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

ChangedKeys SomeKeys() {
  ChangedKeys keys;
  keys.Add(std::string("\0\1\n", 3), "('it''s'::text)");
  keys.Add("", "(''::text)");
  keys.Add("k", std::string(70'000, 'x'));
  keys.Add("k", "(told again)");
  return keys;
}

TEST(KeyLogTest, GivesBackEachKeyInItsOrder) {
  const ChangedKeys keys = SomeKeys();
  const std::string log = EncodeKeyLog({.from = Lsn{0x100000020}, .until = Lsn{0x200000030}, .parts = 3}, keys);
  const KeyLog decoded = Value(DecodeKeyLog(log));
  EXPECT_EQ(decoded.head.from, Lsn{0x100000020});
  EXPECT_EQ(decoded.head.until, Lsn{0x200000030});
  EXPECT_EQ(decoded.head.parts, 3);
  EXPECT_EQ(decoded.head.keys, 3U);
  EXPECT_EQ(decoded.head.bytes, keys.bytes());
  EXPECT_THAT(decoded.keys, ElementsAre(Pair(std::string("\0\1\n", 3), "('it''s'::text)"), Pair("", "(''::text)"),
                                        Pair("k", std::string(70'000, 'x'))));
}

TEST(KeyLogTest, MayHaveNoKey) {
  EXPECT_THAT(Value(DecodeKeyLog(EncodeKeyLog({.from = Lsn{1}, .until = Lsn{2}}, {}))).keys, IsEmpty());
}

TEST(KeyLogTest, HasTheseBytes) {
  ChangedKeys keys;
  keys.Add("k", "(1)");
  const std::string log = EncodeKeyLog({.from = Lsn{1}, .until = Lsn{2}}, keys);
  const std::string head = R"({"bytes":174,"from":"0/1","keys":1,"parts":0,"until":"0/2"})";
  EXPECT_EQ(log.substr(0, log.size() - 4), head + std::string("\n\1\0\0\0k\3\0\0\0(1)", 13));
}

TEST(KeyLogTest, IsRefusedWhereAByteIsAnotherOrMissing) {
  ChangedKeys keys;
  keys.Add("key", "('key')");
  const std::string log = EncodeKeyLog({.from = Lsn{1}, .until = Lsn{2}}, keys);
  for (size_t size = 0; size < log.size(); ++size) {
    EXPECT_FALSE(DecodeKeyLog(log.substr(0, size))) << size;
    std::string broken = log;
    broken[size] = static_cast<char>(broken[size] ^ 4);
    EXPECT_FALSE(DecodeKeyLog(broken)) << size;
  }
  EXPECT_FALSE(DecodeKeyLog(log + '\0'));
  EXPECT_TRUE(DecodeKeyLog(log));
}

}  // namespace
}  // namespace firn::pipeline
