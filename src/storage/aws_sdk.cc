#include "storage/aws_sdk.h"

#include <arrow/filesystem/s3fs.h>

#include "storage/arrow_error.h"

namespace firn::storage {

Status StartAwsSdk() { return FromArrow(arrow::fs::EnsureS3Initialized(), "starting the AWS SDK"); }

AwsSdkEnd::~AwsSdkEnd() { (void)arrow::fs::EnsureS3Finalized(); }

}  // namespace firn::storage
