// Requests to a REST catalog: who asks, where to, and what an answer means.
//
//   401 or 419 with an OAuth2 client ──► a new token, and the request once more
//   a read that was not answered, 429, 5xx ──► once or twice more at once, then kTransient
//   a change that was not answered, 5xx ──► kCommitUnknown
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catalog/rest/rest_json.h"
#include "catalog/rest/token_source.h"
#include "firn/result.h"
#include "http/http_client.h"

namespace firn::catalog::rest {

/// How requests say who sends them: at most one of `credential` and `token`; a signature goes beside either.
struct RestAuthOptions {
  std::string credential;  ///< "id:secret" of an OAuth2 client.
  std::string scope = "catalog";
  std::string oauth2_server_uri;                         ///< Empty: the catalog's own, "/v1/oauth/tokens".
  std::map<std::string, std::string> oauth2_parameters;  ///< "audience", "resource"
  std::string token;                                     ///< A bearer token.
  struct Signature {
    std::string region;
    std::string service;
  };
  std::optional<Signature> signature;
  /// Asked for each signed request.
  std::function<Result<AwsCredentials>()> aws_credentials;
};

struct RestSessionOptions {
  std::string uri;  ///< With or without "/v1" at its end.
  std::map<std::string, std::string> headers;
  RestAuthOptions auth;
  http::HttpClientOptions http;
};

struct RestCall {
  std::string method = "GET";
  std::string path;  ///< Below "/v1/", percent-encoded: "config", "main/namespaces".
  std::vector<std::pair<std::string, std::string>> query = {};
  Json body = nullptr;
  std::string idempotency_key = {};
};

/// Thread-safety: Send may be called from any thread; Adopt before.
class RestSession {
 public:
  explicit RestSession(RestSessionOptions options);

  /// The body of an answer of status 2xx. Errors have the HTTP status as their native code, the server's message, and
  /// its Retry-After: kTransient, kConflict (409), kPermission (401, 403), kTableNotFound and kNotFound (404, by the
  /// server's error type), kUnsupported (405, 406, 501), kInvalidConfig (other 4xx, 3xx), kCommitUnknown for changes.
  Result<std::string> Send(const RestCall& call);

  /// What the server's configuration says of talking to it: "uri", "token", "header.…", "rest.sigv4-…".
  void Adopt(const Settings& settings);

 private:
  Result<std::string> SendOnce(const RestCall& call);
  Result<http::HttpResponse> SendAuthorized(const RestCall& call);
  void MakeTokenSource();

  RestSessionOptions options_;
  std::unique_ptr<http::HttpClient> client_;
  std::unique_ptr<TokenSource> tokens_;
};

}  // namespace firn::catalog::rest
