#include "storage/arrow_error.h"

#include <arrow/util/io_util.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace firn::storage {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(ArrowErrorTest, PassesAValueThrough) {
  Result<int> result = FromArrow(arrow::Result<int>(7), "counting {}", "sheep");
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(*result, 7);
  EXPECT_TRUE(FromArrow(arrow::Status::OK(), "doing {}", "nothing").has_value());
}

TEST(ArrowErrorTest, PutsWhatWasDoneBeforeTheMessage) {
  Result<int> result =
      FromArrow(arrow::Result<int>(arrow::Status::NotImplemented("half floats")), "writing {}", "x.parquet");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind(), ErrorKind::kUnsupported);
  EXPECT_EQ(result.error().message(), "writing x.parquet: half floats");
}

TEST(ArrowErrorTest, TakesAPlainTextForWhatWasDone) {
  EXPECT_TRUE(FromArrow(arrow::Status::OK(), "doing nothing").has_value());
  EXPECT_FALSE(FromArrow(arrow::Status::IOError("reset"), "reading").has_value());
}

TEST(ArrowErrorTest, TakesTheKindFromTheErrnoThatAStatusCarries) {
  const arrow::Status status = arrow::internal::IOErrorFromErrno(EACCES, "Failed to open");
  const Error error = ToError(status, "opening /lake");
  EXPECT_EQ(error.kind(), ErrorKind::kPermission);
  EXPECT_EQ(error.origin(), ErrorOrigin::kStorage);
  EXPECT_EQ(error.native_code(), "EACCES");
  EXPECT_THAT(error.message(), StartsWith("opening /lake: permission denied; give the user"));
}

TEST(ArrowErrorTest, SaysThatAFullDiskIsFull) {
  const Error error = FromErrno(ENOSPC, "writing /lake/x");
  EXPECT_EQ(error.kind(), ErrorKind::kTransient);
  EXPECT_THAT(error.message(), HasSubstr("no space left"));
}

TEST(ArrowErrorTest, GivesBackTheErrorThatAStatusCarries) {
  const Error denied(ErrorKind::kPermission, "access denied", ErrorOrigin::kStorage, "ACCESS_DENIED");
  const Error error = ToError(ToArrowStatus(denied).WithMessage("Parquet said: access denied"), "writing s3://b/x");
  EXPECT_EQ(error.kind(), ErrorKind::kPermission);
  EXPECT_EQ(error.origin(), ErrorOrigin::kStorage);
  EXPECT_EQ(error.native_code(), "ACCESS_DENIED");
  EXPECT_EQ(error.message(), "writing s3://b/x: access denied");
}

TEST(ArrowErrorTest, TakesOtherInputAndOutputErrorsAsTransient) {
  const Error error = ToError(arrow::Status::IOError("connection reset"), "reading s3://b/x");
  EXPECT_EQ(error.kind(), ErrorKind::kTransient);
  EXPECT_EQ(error.origin(), ErrorOrigin::kStorage);
}

}  // namespace
}  // namespace firn::storage
