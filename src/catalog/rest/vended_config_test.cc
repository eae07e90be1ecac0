#include "catalog/rest/vended_config.h"

#include <gmock/gmock.h>

namespace firn::catalog::rest {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;
using storage::StoreOptions;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(VendedConfig, TranslatesS3) {
  const auto vended = ToVendedSettings({{"s3.access-key-id", "a"},
                                        {"s3.secret-access-key", "b"},
                                        {"s3.session-token", "c"},
                                        {"s3.endpoint", "http://s3"},
                                        {"s3.path-style-access", "true"},
                                        {"client.region", "eu-north-1"},
                                        {"s3.session-token-expires-at-ms", "1700000000000"},
                                        {"other", "x"}},
                                       {});
  ASSERT_THAT(vended, SizeIs(1));
  EXPECT_EQ(vended[0].prefix, "");
  EXPECT_EQ(vended[0].options, (StoreOptions{{"access_key_id", "a"},
                                             {"secret_access_key", "b"},
                                             {"session_token", "c"},
                                             {"endpoint", "http://s3"},
                                             {"path_style", "true"},
                                             {"region", "eu-north-1"}}));
  EXPECT_EQ(vended[0].expires_at, system_clock::time_point(milliseconds(1700000000000)));
}

TEST(VendedConfig, EachPrefixHasItsOwnOverTheTables) {
  const auto vended = ToVendedSettings(
      {{"s3.endpoint", "http://s3"}, {"s3.access-key-id", "table"}},
      {{.prefix = "s3://b/t/", .config = {{"s3.access-key-id", "own"}}}, {.prefix = "s3://b/u/", .config = {}}});
  ASSERT_THAT(vended, SizeIs(2));
  EXPECT_EQ(vended[0].prefix, "s3://b/t/");
  EXPECT_EQ(vended[0].options, (StoreOptions{{"access_key_id", "own"}, {"endpoint", "http://s3"}}));
  EXPECT_EQ(vended[1].options.at("access_key_id"), "table");
}

TEST(VendedConfig, TranslatesGcsAndAzure) {
  const auto gcs = ToVendedSettings({{"gcs.oauth2.token", "t"}, {"gcs.oauth2.token-expires-at", "1700000000000"}}, {});
  EXPECT_EQ(gcs.at(0).options, (StoreOptions{{"token", "t"}}));
  EXPECT_TRUE(gcs.at(0).expires_at.has_value());
  const auto azure = ToVendedSettings({{"adls.sas-token.lake.dfs.core.windows.net", "sig"},
                                       {"adls.sas-token-expires-at-ms.lake.dfs.core.windows.net", "1700000000000"}},
                                      {});
  EXPECT_EQ(azure.at(0).options, (StoreOptions{{"account", "lake"}, {"sas_token", "sig"}}));
  EXPECT_TRUE(azure.at(0).expires_at.has_value());
}

TEST(VendedConfig, WhatSaysNothingOfAStoreIsNothing) {
  EXPECT_THAT(ToVendedSettings({{"token", "t"}, {"prefix", "p"}}, {}), IsEmpty());
}

}  // namespace
}  // namespace firn::catalog::rest
