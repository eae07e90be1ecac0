// Calls of the AWS Glue Data Catalog (AWS JSON 1.1 over HTTP, signed), and what its errors mean.
//
// Source: docs.aws.amazon.com/glue/latest/webapi.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "firn/result.h"
#include "http/http_client.h"

namespace firn::catalog {

struct GlueClientOptions {
  std::string region;
  std::string endpoint;    ///< "https://glue.eu-central-1.amazonaws.com"; empty: the region's.
  std::string catalog_id;  ///< The AWS account that owns the catalog; empty: the caller's.
  /// Called for each request, from any thread: credentials of the AWS chain change while firn runs.
  std::function<Result<AwsCredentials>()> credentials;
  http::HttpClientOptions http;
};

enum class GlueCall {
  kRead,
  kWrite,  ///< Where no answer, or a server's error, came, it may have happened: kCommitUnknown.
};

/// Thread-safety: Call may be called from any thread. Errors: kNotFound (a database or a table), kAlreadyExists,
/// kConflict (a stale VersionId), kTransient (throttled, can't be reached: nothing happened), kCommitUnknown,
/// kPermission (with the action that is denied), kUnsupported (what Glue can't take), kInvalidConfig; origin kCatalog,
/// Glue's own name of the error as native code.
class GlueClient {
 public:
  explicit GlueClient(GlueClientOptions options);

  /// `action` as in "GetTable". The answer is an object.
  Result<nlohmann::json> Call(GlueCall kind, std::string_view action, nlohmann::json request);

 private:
  Error ErrorOf(GlueCall kind, std::string_view action, const http::HttpResponse& response) const;

  const GlueClientOptions options_;
  const std::string url_;
  http::HttpClient http_;
};

}  // namespace firn::catalog
