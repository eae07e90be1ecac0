#include "observe/redact.h"

#include <gtest/gtest.h>

namespace firn {
namespace {

TEST(Redact, HidesThePasswordOfAUrl) {
  EXPECT_EQ(RedactSecrets("postgresql://firn:s3cret@db:5432/shop"), "postgresql://firn:***@db:5432/shop");
}

TEST(Redact, KeepsAUrlWithoutPassword) {
  for (const std::string url : {"postgresql://firn@db:5432/shop", "postgresql://db:5432/shop", "s3://lake/shop",
                                "sqlite:///var/lib/firn/catalog.db", "http://[::1]:8181/v1"}) {
    EXPECT_EQ(RedactSecrets(url), url);
  }
}

TEST(Redact, HidesAPasswordThatWasNotPercentEncoded) {
  EXPECT_EQ(RedactSecrets("postgresql://firn:a@b/c:d?e@db/shop"), "postgresql://firn:***@db/shop");
}

TEST(Redact, HidesAPasswordWithoutUser) { EXPECT_EQ(RedactSecrets("postgresql://:pw@db"), "postgresql://:***@db"); }

TEST(Redact, HidesEveryUrlOfAText) {
  EXPECT_EQ(RedactSecrets("from postgresql://a:1@x to postgresql://b:2@y, done"),
            "from postgresql://a:***@x to postgresql://b:***@y, done");
}

TEST(Redact, HidesSecretParameters) {
  EXPECT_EQ(RedactSecrets("host=db password=s3cret user=firn"), "host=db password=*** user=firn");
  EXPECT_EQ(RedactSecrets("password = 'a \\' b' user=firn"), "password =*** user=firn");
  EXPECT_EQ(RedactSecrets("postgresql://db/shop?password=x&sslmode=require"),
            "postgresql://db/shop?password=***&sslmode=require");
  EXPECT_EQ(RedactSecrets("Secret-Access-Key=abc"), "Secret-Access-Key=***");
}

TEST(Redact, SurvivesAnUnclosedQuote) { EXPECT_EQ(RedactSecrets("password='abc\\"), "password=***"); }

TEST(Redact, KeepsOrdinaryParameters) {
  EXPECT_EQ(RedactSecrets("rows=5 passwords_checked=3 a=b"), "rows=5 passwords_checked=3 a=b");
}

}  // namespace
}  // namespace firn
