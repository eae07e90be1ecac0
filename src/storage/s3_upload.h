// A file on its way to S3 that may take longer than the credentials of any of its requests live.
//
//   up to 10 MB   one PUT, at Close
//   above         CreateMultipartUpload, parts of 10 MB in the background, CompleteMultipartUpload at Close
#pragma once

#include <arrow/io/interfaces.h>

#include <memory>

#include "storage/s3_requests.h"

namespace firn::storage {

/// Asks nothing yet. The file is there once Close has succeeded; a stream that was not closed leaves no file and no
/// parts. Its statuses carry firn's errors (ToError). Used by one thread at a time.
std::shared_ptr<arrow::io::OutputStream> OpenS3Upload(S3Requests requests);

}  // namespace firn::storage
