// AWS Signature Version 4: what proves to AWS's endpoints who sends a request, and that nobody altered it.
//
// Own code, where libcurl could sign: Debian 12's libcurl neither sorts the query nor encodes the path a second time,
// and so signs some requests wrong.
//
// Source: docs.aws.amazon.com, "Create a signed AWS API request". Thread-safety: pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/aws_credentials.h"
#include "firn/result.h"

namespace firn::http {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// Signature version 4: signs the request as it is sent.
struct AwsSigning {
  AwsCredentials credentials;
  std::string region;
  std::string service;  ///< "glue", "s3tables", …; for "s3" the path is signed as it is, else encoded once more.
};

/// The headers to add to a request so that it is signed: X-Amz-Date, X-Amz-Security-Token where the credentials have a
/// token, and Authorization. `url` is percent-encoded; all of `headers` are signed, and Host. `body_sha256` is the
/// body's hash in hexadecimal digits.
Result<HttpHeaders> SignWithAwsV4(std::string_view method, std::string_view url, const HttpHeaders& headers,
                                  std::string_view body_sha256, const AwsSigning& signing, int64_t unix_seconds);

/// In lower-case hexadecimal digits.
std::string Sha256Hex(std::string_view text);

}  // namespace firn::http
