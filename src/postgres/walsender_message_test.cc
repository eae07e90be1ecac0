#include "postgres/walsender_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "postgres/hex.h"

namespace firn::postgres {
namespace {

constexpr char kXLogData[] = "77 00000000395d6268 00000000395d6298 000303f25765df94";
constexpr char kKeepalive[] = "6b 00000000395d6298 000303f25765df94 01";

TEST(WalsenderMessageTest, ReadsXLogData) {
  const std::string frame = FromHex(kXLogData) + "payload";
  const auto message = ParseWalsenderMessage(frame);
  ASSERT_TRUE(message.has_value());
  const auto& data = std::get<XLogData>(*message);
  EXPECT_EQ(ToString(data.start), "0/395D6268");
  EXPECT_EQ(ToString(data.end), "0/395D6298");
  EXPECT_EQ(data.sent_at_us, 0x000303f25765df94);
  EXPECT_EQ(data.payload, "payload");
  EXPECT_EQ(data.payload.data(), frame.data() + 25);
}

TEST(WalsenderMessageTest, ReadsKeepalive) {
  const auto message = ParseWalsenderMessage(FromHex(kKeepalive));
  ASSERT_TRUE(message.has_value());
  const auto& keepalive = std::get<PrimaryKeepalive>(*message);
  EXPECT_EQ(ToString(keepalive.end), "0/395D6298");
  EXPECT_EQ(keepalive.sent_at_us, 0x000303f25765df94);
  EXPECT_TRUE(keepalive.reply_requested);
}

TEST(WalsenderMessageTest, RefusesEveryPrefixAndBytesLeftOver) {
  for (const char* hex : {kXLogData, kKeepalive}) {
    const std::string whole = FromHex(hex);
    for (size_t size = 0; size < whole.size(); ++size) {
      const std::vector<char> prefix(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
      const auto message = ParseWalsenderMessage({prefix.data(), prefix.size()});
      ASSERT_FALSE(message.has_value()) << size;
      EXPECT_EQ(message.error().kind(), ErrorKind::kCorrupt);
    }
  }
  EXPECT_FALSE(ParseWalsenderMessage(FromHex(kKeepalive) + "x").has_value());
  EXPECT_FALSE(ParseWalsenderMessage("?").has_value());
}

TEST(WalsenderMessageTest, WritesStatusUpdates) {
  const auto bytes = EncodeStatusUpdate(
      {.written = {0x395d6298}, .flushed = {0x395d6268}, .applied = {0x395d6267}, .sent_at_us = 0x000303f25765df94});
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()),
            FromHex("72 00000000395d6298 00000000395d6268 00000000395d6267 000303f25765df94 00"));
}

}  // namespace
}  // namespace firn::postgres
