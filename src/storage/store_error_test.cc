#include "storage/store_error.h"

#include <arrow/util/io_util.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace firn::storage {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// What Arrow 26 says, word for word, of what servers answered.
Error S3Error(const std::string& said, StoreAction action = StoreAction::kWrite) {
  return ToStoreError(arrow::Status::IOError(said), action, ParseStoreLocation("s3://lake/x").value());
}

TEST(StoreErrorTest, TellsS3sErrorsApart) {
  const Error bucket = S3Error(
      "When uploading object with key 'x' in bucket 'lake': AWS Error NO_SUCH_BUCKET during PutObject operation: The "
      "specified bucket does not exist");
  EXPECT_EQ(bucket.kind(), ErrorKind::kInvalidConfig);
  EXPECT_THAT(bucket.message(), HasSubstr("there is no bucket lake; make it, or correct the location"));

  const Error denied = S3Error(
      "When uploading object with key 'x' in bucket 'lake': AWS Error ACCESS_DENIED during PutObject operation: Access "
      "Denied");
  EXPECT_EQ(denied.kind(), ErrorKind::kPermission);
  EXPECT_EQ(denied.native_code(), "ACCESS_DENIED");
  EXPECT_THAT(denied.message(), HasSubstr("s3:PutObject"));

  const Error expired = S3Error(
      "When uploading object with key 'x' in bucket 'lake': AWS Error UNKNOWN (HTTP status 400) during PutObject "
      "operation: Unable to parse ExceptionName: ExpiredToken Message: The provided token has expired.");
  EXPECT_EQ(expired.kind(), ErrorKind::kPermission);
  EXPECT_EQ(expired.native_code(), "ExpiredToken");
  EXPECT_TRUE(AreCredentialsRefused(expired));

  const Error region = S3Error(
      "When getting information for key 'x' in bucket 'lake': AWS Error UNKNOWN (HTTP status 301) during HeadObject "
      "operation: No response body. Looks like the configured region is 'us-east-1' while the bucket is located in "
      "'eu-west-1'.");
  EXPECT_EQ(region.kind(), ErrorKind::kInvalidConfig);
  EXPECT_THAT(region.message(), AllOf(HasSubstr("set storage.s3.region"), HasSubstr("eu-west-1")));

  for (const char* code : {"SLOW_DOWN", "INTERNAL_FAILURE", "NETWORK_CONNECTION", "SERVICE_UNAVAILABLE"}) {
    const Error passing = S3Error(std::string("AWS Error ") + code + " during PutObject operation: try again");
    EXPECT_EQ(passing.kind(), ErrorKind::kTransient) << code;
    EXPECT_EQ(passing.native_code(), code);
    EXPECT_FALSE(AreCredentialsRefused(passing));
  }
}

TEST(StoreErrorTest, AMissingFileIsOneOnlyWhereItIsLookedFor) {
  const std::string said = "AWS Error NO_SUCH_KEY during GetObject operation: The specified key does not exist.";
  EXPECT_EQ(S3Error(said, StoreAction::kRead).kind(), ErrorKind::kNotFound);
  EXPECT_EQ(S3Error("AWS Error RESOURCE_NOT_FOUND during CreateMultipartUpload operation: No response body.").kind(),
            ErrorKind::kInvalidConfig);
  const arrow::Status missing = arrow::internal::IOErrorFromErrno(ENOENT, "Path does not exist 'lake/x'");
  EXPECT_EQ(ToStoreError(missing, StoreAction::kDelete, ParseStoreLocation("s3://lake/x").value()).kind(),
            ErrorKind::kNotFound);
}

TEST(StoreErrorTest, TellsGcssErrorsApart) {
  const auto gcs = [](const std::string& said, StoreAction action) {
    return ToStoreError(arrow::Status::IOError("google::cloud::Status(" + said + ")"), action,
                        ParseStoreLocation("gs://lake/x").value());
  };
  EXPECT_EQ(gcs("NOT_FOUND: Permanent error in operation GetObjectMetadata: No such object: lake/x", StoreAction::kStat)
                .kind(),
            ErrorKind::kNotFound);
  EXPECT_EQ(gcs("NOT_FOUND: The specified bucket does not exist.", StoreAction::kWrite).kind(),
            ErrorKind::kInvalidConfig);
  const Error denied =
      gcs("PERMISSION_DENIED: firn@shop does not have storage.objects.create access", StoreAction::kWrite);
  EXPECT_EQ(denied.kind(), ErrorKind::kPermission);
  EXPECT_THAT(denied.message(), HasSubstr("storage.objects.create"));
  EXPECT_EQ(gcs("UNAUTHENTICATED: Invalid Credentials", StoreAction::kRead).kind(), ErrorKind::kPermission);
  EXPECT_EQ(gcs("UNAVAILABLE: Couldn't connect to server", StoreAction::kRead).kind(), ErrorKind::kTransient);
}

TEST(StoreErrorTest, TellsAzuresErrorsApartWithoutTheirSignatures) {
  const Error error = ToStoreError(
      arrow::Status::IOError("UploadFrom failed for "
                             "'https://shop.blob.core.windows.net/lake/x?sv=2024&sig=hunter2%3D'. There is no blob. "
                             "Azure Error: [AuthorizationPermissionMismatch] 403 This request is not authorized\nto "
                             "perform this operation.\nTime:2026"),
      StoreAction::kWrite, ParseStoreLocation("abfss://lake@shop.dfs.core.windows.net/x").value());
  EXPECT_EQ(error.kind(), ErrorKind::kPermission);
  EXPECT_EQ(error.native_code(), "AuthorizationPermissionMismatch");
  EXPECT_THAT(error.message(), AllOf(Not(HasSubstr("hunter2")), Not(HasSubstr("\n")), HasSubstr("container lake"),
                                     HasSubstr("blob.core.windows.net/lake/x'")));
}

TEST(StoreErrorTest, SaysThatAzureGaveNoToken) {
  const Error error =
      ToStoreError(arrow::Status::UnknownError(
                       "Check for Hierarchical Namespace support on 'https://shop.dfs.core.windows.net/lake' "
                       "failed: N5Azure4Core11Credentials23AuthenticationExceptionE: no credential worked"),
                   StoreAction::kWrite, ParseStoreLocation("abfss://lake@shop.dfs.core.windows.net/x").value());
  EXPECT_EQ(error.kind(), ErrorKind::kPermission);
  EXPECT_THAT(error.message(), HasSubstr("the store does not take the credentials"));
}

TEST(StoreErrorTest, SaysWhichKeysArrowCannotTake) {
  const Error error = ToStoreError(arrow::Status::Invalid("Empty path component"), StoreAction::kRead,
                                   ParseStoreLocation("s3://lake/a//b").value());
  EXPECT_EQ(error.kind(), ErrorKind::kInvalidConfig);
  EXPECT_THAT(error.message(), HasSubstr("Empty path component"));
}

}  // namespace
}  // namespace firn::storage
