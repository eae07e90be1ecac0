// HTTP requests to catalogs: one request, one answer, and what is known of it when no answer came.
//
//   HttpClient client({.user_agent = "firn/0.1.0"});
//   TRY(const HttpResponse response, client.Send({.method = "POST", .url = url, .body = json}));
//
// An answer of any status is an HttpResponse: what a status means is the protocol's matter, not this room's.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "firn/result.h"

namespace firn::http {

struct AwsCredentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  ///< Empty: none.
};

/// Signature version 4: signs the request as it is sent.
struct AwsSigning {
  AwsCredentials credentials;
  std::string region;
  std::string service;  ///< "glue", "s3tables", …
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  std::string url;  ///< Whole, its path and query percent-encoded.
  HttpHeaders headers;
  std::string body;
  std::optional<AwsSigning> signing;
};

struct HttpResponse {
  int status = 0;
  HttpHeaders headers;
  std::string body;

  /// The header's value, whatever the case of its name; empty where there is none.
  std::string_view Header(std::string_view name) const;
  /// What Retry-After asks for, in either of its forms; at most an hour.
  std::optional<std::chrono::milliseconds> RetryAfter() const;
};

struct HttpClientOptions {
  std::string user_agent;
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds request_timeout{60'000};  ///< From the request's start to the answer's last byte.
  std::string ca_file;                                ///< PEM; empty: the system's.
};

/// Keeps connections open between requests. Follows no redirects.
/// Thread-safety: Send may be called from any thread.
class HttpClient {
 public:
  explicit HttpClient(HttpClientOptions options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// kTransient: the request did not reach the server (name, connection, TLS handshake). kCommitUnknown: it may have,
  /// and no whole answer came back (reset, time-out, half an answer); whoever asked only to read calls that transient.
  /// kInvalidConfig: a URL that can't be, a certificate that isn't trusted. Messages name method, host and path, never
  /// the query, a header or the body.
  Result<HttpResponse> Send(const HttpRequest& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Percent-encodes all but RFC 3986's unreserved characters: for one segment of a path, or a query's name or value.
std::string PercentEncode(std::string_view text);

}  // namespace firn::http
