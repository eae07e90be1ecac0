#include "storage/aws_credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace firn::storage {
namespace {

class AwsCredentialsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // Nothing of this machine, and no asking of roles.
    for (const char* name : {"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}) {
      unsetenv(name);
    }
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials", 1);
    setenv("AWS_CONFIG_FILE", "/nowhere/config", 1);
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
  }
};

TEST_F(AwsCredentialsTest, TakesThoseOfTheEnvironment) {
  setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
  setenv("AWS_SECRET_ACCESS_KEY", "hunter2", 1);
  setenv("AWS_SESSION_TOKEN", "a token", 1);
  const auto keys = AwsCredentialChain()();
  ASSERT_TRUE(keys.has_value()) << keys.error().message();
  EXPECT_EQ(keys->access_key_id, "AKIDEXAMPLE");
  EXPECT_EQ(keys->secret_access_key, "hunter2");
  EXPECT_EQ(keys->session_token, "a token");
}

TEST_F(AwsCredentialsTest, EmptyChainSaysWhereCredentialsCanBe) {
  const auto keys = AwsCredentialChain()();
  ASSERT_FALSE(keys.has_value());
  EXPECT_EQ(keys.error().kind(), ErrorKind::kPermission);
  EXPECT_THAT(keys.error().message(), ::testing::HasSubstr("AWS_ACCESS_KEY_ID"));
}

}  // namespace
}  // namespace firn::storage
