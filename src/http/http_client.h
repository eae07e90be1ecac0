// HTTP requests to catalogs and stores: one request, one answer, and what is known of it when no answer came.
//
//   HttpClient client({.user_agent = "firn/0.1.0"});
//   TRY(const HttpResponse response, client.Send({.method = "POST", .url = url, .body = json}));
//
// An answer of any status is an HttpResponse: what a status means is the protocol's matter, not this room's.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "firn/result.h"
#include "http/aws_signature.h"
#include "http/percent_encoding.h"

namespace firn::http {

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
  std::chrono::seconds stall_timeout{0};        ///< Without a byte in either direction; zero: request_timeout alone.
  std::string ca_file;                          ///< PEM; empty: the system's.
  std::string ca_file_key = "catalog.ca_file";  ///< What the operator calls it.
  ErrorOrigin origin = ErrorOrigin::kCatalog;   ///< Of the errors.
  size_t response_bytes_max = size_t{1} << 30;
};

/// Keeps connections open between requests. Follows no redirects. Takes compressed answers. The proxy variables of the
/// environment (https_proxy, no_proxy, …) hold.
/// Thread-safety: Send may be called from any thread; requests of several threads run side by side.
class HttpClient {
 public:
  explicit HttpClient(HttpClientOptions options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// kTransient: the request did not reach the server (name, connection, TLS handshake). kCommitUnknown: it may have,
  /// and no whole answer came back (reset, time-out, half an answer); whoever asked only to read calls that transient.
  /// kInvalidConfig: a URL that can't be, a certificate that isn't trusted. Messages name method, host and path, never
  /// the query, a header or the body. Nothing but a GET or HEAD is ever sent a second time.
  Result<HttpResponse> Send(const HttpRequest& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firn::http
