#include "storage/store_location.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn::storage {
namespace {

using ::testing::HasSubstr;

TEST(StoreLocationTest, SplitsS3Locations) {
  for (const std::string scheme : {"s3", "s3a", "s3n"}) {
    const StoreLocation location = ParseStoreLocation(scheme + "://lake/shop/orders/x.parquet").value();
    EXPECT_EQ(location.kind, StoreKind::kS3);
    EXPECT_EQ(location.root, scheme + "://lake/");
    EXPECT_EQ(location.bucket, "lake");
    EXPECT_EQ(location.key, "shop/orders/x.parquet");
    EXPECT_EQ(location.ArrowPath(), "lake/shop/orders/x.parquet");
  }
}

TEST(StoreLocationTest, TakesABucketAlone) {
  for (const char* text : {"gs://lake", "gs://lake/", "gs://lake//"}) {
    const StoreLocation location = ParseStoreLocation(text).value();
    EXPECT_EQ(location.kind, StoreKind::kGcs);
    EXPECT_EQ(location.root, "gs://lake/");
    EXPECT_EQ(location.key, "");
    EXPECT_EQ(location.ArrowPath(), "lake");
  }
}

TEST(StoreLocationTest, TakesKeysAsTheyAreWritten) {
  EXPECT_EQ(ParseStoreLocation("s3://lake/a%20b/c d/é?x#y").value().key, "a%20b/c d/é?x#y");
  EXPECT_EQ(ParseStoreLocation("s3://lake/folder/").value().key, "folder");
}

TEST(StoreLocationTest, SplitsAzureLocations) {
  const StoreLocation location = ParseStoreLocation("abfss://lake@shop.dfs.core.windows.net/orders/x.parquet").value();
  EXPECT_EQ(location.kind, StoreKind::kAzure);
  EXPECT_EQ(location.root, "abfss://lake@shop.dfs.core.windows.net/");
  EXPECT_EQ(location.bucket, "lake");
  EXPECT_EQ(location.account, "shop");
  EXPECT_EQ(location.domain, "core.windows.net");
  EXPECT_EQ(location.ArrowPath(), "lake/orders/x.parquet");

  const StoreLocation blob = ParseStoreLocation("wasbs://lake@shop.blob.core.chinacloudapi.cn/x").value();
  EXPECT_EQ(blob.account, "shop");
  EXPECT_EQ(blob.domain, "core.chinacloudapi.cn");

  const StoreLocation container_only = ParseStoreLocation("abfs://lake/x").value();
  EXPECT_EQ(container_only.bucket, "lake");
  EXPECT_EQ(container_only.account, "");
}

TEST(StoreLocationTest, KnowsLocalLocations) {
  for (const char* text : {"/lake/x", "file:///lake/x", "file:/lake/x", "lake", "C:x"}) {
    EXPECT_EQ(ParseStoreLocation(text).value().kind, StoreKind::kLocal) << text;
  }
}

TEST(StoreLocationTest, RefusesWhatIsNoLocation) {
  for (const char* text : {"ftp://host/x", "s3://", "s3:///x", "abfss://@shop.dfs.core.windows.net/x",
                           "abfss://lake@shop/x", "abfss://lake@shop.core.windows.net/x"}) {
    const auto parsed = ParseStoreLocation(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().kind(), ErrorKind::kInvalidConfig) << text;
    EXPECT_THAT(parsed.error().message(), HasSubstr(text));
  }
}

}  // namespace
}  // namespace firn::storage
