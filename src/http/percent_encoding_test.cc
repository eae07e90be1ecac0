#include "http/percent_encoding.h"

#include <gtest/gtest.h>

namespace firn::http {
namespace {

TEST(PercentEncoding, KeepsOnlyUnreservedCharacters) {
  EXPECT_EQ(PercentEncode("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(PercentEncode("a b/c?d=e&f%+\x1f"), "a%20b%2Fc%3Fd%3De%26f%25%2B%1F");
  EXPECT_EQ(PercentEncode("表"), "%E8%A1%A8");
}

TEST(PercentEncoding, DecodesWhatItEncoded) {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  EXPECT_EQ(PercentDecode(PercentEncode(every_byte)), every_byte);
}

TEST(PercentEncoding, LeavesWhatIsNoEscape) {
  EXPECT_EQ(PercentDecode("100%"), "100%");
  EXPECT_EQ(PercentDecode("%4"), "%4");
  EXPECT_EQ(PercentDecode("%zz%2 %2f+"), "%zz%2 /+");
}

TEST(PercentEncoding, SplitsUrls) {
  const UrlParts parts = SplitUrl("https://user:pw@host:8181/a/b?c=d/e#f");
  EXPECT_EQ(parts.scheme, "https");
  EXPECT_EQ(parts.host, "host:8181");
  EXPECT_EQ(parts.path, "/a/b");
  EXPECT_EQ(parts.query, "c=d/e");
  EXPECT_EQ(SplitUrl("http://host").host, "host");
  EXPECT_EQ(SplitUrl("http://host").path, "");
  EXPECT_EQ(SplitUrl("http://host?x=/y").host, "host");
}

}  // namespace
}  // namespace firn::http
