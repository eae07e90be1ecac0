#include "storage/file_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace firn::storage {
namespace {

using ::testing::HasSubstr;

TEST(NormalizeLocationTest, MakesAPathAnAbsoluteUri) {
  EXPECT_EQ(NormalizeLocation("/lake/shop/").value(), "file:///lake/shop");
  EXPECT_EQ(NormalizeLocation("/lake/../lake/./shop").value(), "file:///lake/shop");
  EXPECT_EQ(NormalizeLocation("lake").value(), "file://" + (std::filesystem::current_path() / "lake").string());
}

TEST(NormalizeLocationTest, KeepsAUriWithoutItsTrailingSlash) {
  EXPECT_EQ(NormalizeLocation("s3://bucket/path//").value(), "s3://bucket/path");
  EXPECT_EQ(NormalizeLocation("abfss://c@account.dfs.core.windows.net/x").value(),
            "abfss://c@account.dfs.core.windows.net/x");
}

TEST(NormalizeLocationTest, WritesLocalUrisInOneWay) {
  EXPECT_EQ(NormalizeLocation("file:/lake/").value(), "file:///lake");
  EXPECT_EQ(NormalizeLocation("file://localhost/lake").value(), "file:///lake");
  EXPECT_EQ(NormalizeLocation("file:///lake").value(), "file:///lake");
  EXPECT_EQ(NormalizeLocation("file:///").value(), "file:///");
  EXPECT_EQ(NormalizeLocation("/").value(), "file:///");
}

TEST(NormalizeLocationTest, RefusesWhatNoStoreCanHold) {
  for (const char* location : {"", "ftp://host/x", "file://host/x"}) {
    auto result = NormalizeLocation(location);
    ASSERT_FALSE(result.has_value()) << location;
    EXPECT_EQ(result.error().kind(), ErrorKind::kInvalidConfig);
  }
}

TEST(OpenFileStoreTest, RefusesAnOptionThatMeansNothing) {
  auto unknown = OpenFileStore("/lake", {{"region", "eu-west-1"}});
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().kind(), ErrorKind::kInvalidConfig);
  EXPECT_THAT(unknown.error().message(), HasSubstr("region"));
  auto unclear = OpenFileStore("/lake", {{"fsync", "perhaps"}});
  ASSERT_FALSE(unclear.has_value());
  EXPECT_THAT(unclear.error().message(), HasSubstr("perhaps"));
}

TEST(OpenFileStoreTest, OpensALocalFolder) { EXPECT_TRUE(OpenFileStore("/lake", {{"fsync", "false"}}).has_value()); }

}  // namespace
}  // namespace firn::storage
