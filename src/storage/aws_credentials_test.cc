#include "storage/aws_credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "testing/scripted_http_server.h"
#include "testing/temporary_folder.h"

namespace firn::storage {
namespace {

class AwsCredentialsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // Nothing of this machine, and no asking of roles.
    for (const char* name : {"AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
                             "AWS_CONTAINER_CREDENTIALS_FULL_URI"}) {
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

TEST_F(AwsCredentialsTest, TakesThoseOfAProfileInTheSharedFiles) {
  const testing::TemporaryFolder folder;
  std::ofstream(folder / "credentials") << "[lake]\naws_access_key_id = FROMFILE\naws_secret_access_key = hunter2\n";
  setenv("AWS_SHARED_CREDENTIALS_FILE", (folder / "credentials").c_str(), 1);
  setenv("AWS_PROFILE", "lake", 1);
  const auto keys = AwsCredentialChain()();
  ASSERT_TRUE(keys.has_value()) << keys.error().message();
  EXPECT_EQ(keys->access_key_id, "FROMFILE");
}

TEST_F(AwsCredentialsTest, TakesThoseOfTheContainersRole) {
  testing::ScriptedHttpServer server([](const testing::ScriptedRequest&) -> testing::ScriptedReply {
    return {.body = R"({"AccessKeyId": "FROMROLE", "SecretAccessKey": "hunter2", "Token": "a token",
                        "Expiration": "2999-01-01T00:00:00Z"})"};
  });
  setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", (server.url() + "/role").c_str(), 1);
  const auto keys = AwsCredentialChain()();
  unsetenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  ASSERT_TRUE(keys.has_value()) << keys.error().message();
  EXPECT_EQ(keys->access_key_id, "FROMROLE");
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
