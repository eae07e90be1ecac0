#include "config/listen_address.h"

#include <gtest/gtest.h>

namespace firn::config {
namespace {

TEST(ListenAddress, TakesHostAndPort) {
  const auto address = ParseListenAddress("localhost:9090").value();
  EXPECT_EQ(address.host, "localhost");
  EXPECT_EQ(address.port, 9090);
}

TEST(ListenAddress, TakesAnIpv6AddressInBrackets) {
  const auto address = ParseListenAddress("[::1]:0").value();
  EXPECT_EQ(address.host, "::1");
  EXPECT_EQ(address.port, 0);
}

TEST(ListenAddress, ListensEverywhereWithoutHost) { EXPECT_EQ(ParseListenAddress(":80").value().host, "0.0.0.0"); }

TEST(ListenAddress, RefusesWhatIsNoAddress) {
  for (const char* text : {"", "localhost", "localhost:", "localhost:http", "localhost:65536", "localhost:-1", "::1:80",
                           "[::1]", "[localhost]:80", "http://localhost:80", "a b:80", "localhost:80x", "[::1:80"}) {
    const auto address = ParseListenAddress(text);
    ASSERT_FALSE(address.has_value()) << text;
    EXPECT_EQ(address.error().kind(), ErrorKind::kInvalidConfig) << text;
  }
}

}  // namespace
}  // namespace firn::config
