#include "catalog/rest/rest_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "base/try.h"
#include "catalog/unknown_outcome.h"
#include "iceberg/json_member.h"
#include "observe/log.h"
#include "observe/redact.h"

namespace firn::catalog::rest {
namespace {

/// A read is tried again at once, so that a connection that broke is nobody's matter. Longer troubles are for the
/// caller, who knows how long it may wait.
constexpr int kQuickRetries = 2;
constexpr std::chrono::milliseconds kQuickDelay{100};
constexpr size_t kMessageBytesMax = 1000;

std::string WithoutVersion(std::string uri) {
  const auto trim = [&] {
    while (uri.ends_with('/')) uri.pop_back();
  };
  trim();
  if (uri.ends_with("/v1")) uri.resize(uri.size() - 3);
  trim();
  return uri;
}

bool IsRead(const RestCall& call) { return call.method == "GET" || call.method == "HEAD"; }

/// What the server said, fit for one line of a log.
std::string SaidBy(const http::HttpResponse& response, std::string& type) {
  std::string said;
  if (const auto error = ReadError(response.body)) {
    type = error->type;
    said = error->message;
    if (!type.empty() && said.find(type) == std::string::npos) said = said.empty() ? type : type + ": " + said;
  } else if (response.Header("Content-Type").find("html") == std::string_view::npos) {
    said = response.body;
  }
  std::ranges::replace_if(said, [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  if (said.size() > kMessageBytesMax) said = said.substr(0, kMessageBytesMax) + "…";
  return RedactSecrets(said);
}

struct Meaning {
  ErrorKind kind;
  std::string_view remedy = "";
};

Meaning MeaningOf(int status, const std::string& type, bool read) {
  switch (status) {
    case 401:
    case 419:
      return {ErrorKind::kPermission, "; check catalog.credential or catalog.token"};
    case 403:
      return {ErrorKind::kPermission, "; the catalog's owner must grant it"};
    case 404:
      return {type.starts_with("NoSuchTable") || type.starts_with("NoSuchView") ? ErrorKind::kTableNotFound
                                                                                : ErrorKind::kNotFound};
    case 405:
    case 406:
    case 501:
      return {ErrorKind::kUnsupported};
    case 408:
      return {read ? ErrorKind::kTransient : ErrorKind::kCommitUnknown};
    case 409:
      return {ErrorKind::kConflict};
    case 425:
    case 429:
      return {ErrorKind::kTransient};
    default:
      break;
  }
  // Whoever answers so, a 503 that asks to wait among them, may be a proxy that lost the catalog's answer.
  if (status >= 500) return {read ? ErrorKind::kTransient : ErrorKind::kCommitUnknown};
  if (status >= 300 && status < 400) {
    return {ErrorKind::kInvalidConfig, "; it sends elsewhere: set catalog.uri to where the catalog is"};
  }
  return {ErrorKind::kInvalidConfig};
}

Error ToError(const RestCall& call, const http::HttpResponse& response) {
  std::string type;
  const std::string said = SaidBy(response, type);
  const auto retry_after = response.RetryAfter();
  const Meaning meaning = MeaningOf(response.status, type, IsRead(call));
  return Error(meaning.kind,
               fmt::format("the catalog answered {} to {} /v1/{}{}{}{}", response.status, call.method, call.path,
                           said.empty() ? "" : ": ", said, meaning.remedy),
               ErrorOrigin::kCatalog, fmt::to_string(response.status))
      .WithRetryAfter(retry_after.value_or(std::chrono::milliseconds(0)));
}

}  // namespace

RestSession::RestSession(RestSessionOptions options) : options_(std::move(options)) {
  options_.uri = WithoutVersion(options_.uri);
  client_ = std::make_unique<http::HttpClient>(options_.http);
  MakeTokenSource();
}

void RestSession::MakeTokenSource() {
  const RestAuthOptions& auth = options_.auth;
  tokens_.reset();
  if (!auth.token.empty() || auth.credential.empty()) return;
  const size_t colon = auth.credential.find(':');
  const bool has_id = colon != std::string::npos;
  tokens_ = std::make_unique<TokenSource>(
      TokenOptions{
          .server_uri = auth.oauth2_server_uri.empty() ? options_.uri + "/v1/oauth/tokens" : auth.oauth2_server_uri,
          .client_id = has_id ? auth.credential.substr(0, colon) : "",
          .client_secret = has_id ? auth.credential.substr(colon + 1) : auth.credential,
          .scope = auth.scope,
          .parameters = auth.oauth2_parameters},
      *client_);
}

void RestSession::Adopt(const Settings& settings) {
  const auto find = [&](const std::string& key) {
    const auto found = settings.find(key);
    return found == settings.end() ? std::string() : found->second;
  };
  if (const std::string uri = find("uri"); !uri.empty()) options_.uri = WithoutVersion(uri);
  RestAuthOptions& auth = options_.auth;
  if (const std::string token = find("token"); !token.empty() && auth.token != token) {
    auth.token = token;
    MakeTokenSource();
  }
  constexpr std::string_view kHeader = "header.";
  for (const auto& [key, value] : settings) {
    // What the operator set stays.
    if (key.starts_with(kHeader)) options_.headers.emplace(key.substr(kHeader.size()), value);
  }
  if (find("rest.sigv4-enabled") == "true" && !auth.signature) {
    auth.signature = RestAuthOptions::Signature{
        .region = find("rest.signing-region"),
        .service = find("rest.signing-name").empty() ? "execute-api" : find("rest.signing-name")};
  }
}

Result<std::string> RestSession::Send(const RestCall& call) {
  // With a key the server does a change once, however often it is asked.
  const bool may_repeat = IsRead(call) || !call.idempotency_key.empty();
  std::optional<Error> unknown;
  for (int retries = 0;; ++retries) {
    auto body = SendOnce(call);
    if (body.has_value()) return body;
    const ErrorKind kind = body.error().kind();
    if (kind == ErrorKind::kCommitUnknown) unknown = body.error();
    // Where a server does not know the key, this may be the answer to a change that it did before.
    if (unknown && kind != ErrorKind::kCommitUnknown) return *std::move(unknown);
    const bool may_pass = kind == ErrorKind::kTransient || kind == ErrorKind::kCommitUnknown;
    const auto delay = std::max(kQuickDelay * (1 << retries), body.error().retry_after());
    if (!may_pass || !may_repeat || retries == kQuickRetries || delay > 10 * kQuickDelay) return body;
    LogDebug("a request to the catalog is tried again",
             {{"method", call.method}, {"path", call.path}, {"reason", body.error().message()}});
    std::this_thread::sleep_for(delay);
  }
}

Result<std::string> RestSession::SendOnce(const RestCall& call) {
  auto response = SendAuthorized(call);
  if (!response) {
    return IsRead(call) ? AsRepeatable(std::move(response).error()) : std::move(response).error();
  }
  if (response->status >= 200 && response->status < 300) return std::move(response->body);
  return ToError(call, *response);
}

Result<http::HttpResponse> RestSession::SendAuthorized(const RestCall& call) {
  http::HttpRequest request{
      .method = call.method, .url = options_.uri + "/v1/" + call.path, .headers = {}, .body = {}, .signing = {}};
  char separator = '?';
  for (const auto& [name, value] : call.query) {
    request.url += separator + http::PercentEncode(name) + "=" + http::PercentEncode(value);
    separator = '&';
  }
  for (const auto& [name, value] : options_.headers) request.headers.emplace_back(name, value);
  const auto add = [&](std::string_view name, std::string_view value) {
    const bool given = std::ranges::any_of(options_.headers, [&](const auto& header) {
      return std::ranges::equal(header.first, name,
                                [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
    });
    if (!given) request.headers.emplace_back(name, value);
  };
  add("Accept", "application/json");
  add("X-Iceberg-Access-Delegation", "vended-credentials");
  if (!call.body.is_null()) {
    request.body = iceberg::DumpJson(call.body);
    add("Content-Type", "application/json");
  }
  if (!call.idempotency_key.empty()) add("Idempotency-Key", call.idempotency_key);
  if (const auto& signature = options_.auth.signature) {
    TRY(AwsCredentials credentials, options_.auth.aws_credentials());
    request.signing = http::AwsSigning{
        .credentials = std::move(credentials), .region = signature->region, .service = signature->service};
  }

  const size_t header_count = request.headers.size();
  for (bool again = false;; again = true) {
    std::string token = options_.auth.token;
    if (tokens_ != nullptr) {
      TRY(token, tokens_->Get());
    }
    request.headers.resize(header_count);
    if (!token.empty()) {
      // A signature takes the header that the token would be in.
      request.headers.emplace_back(request.signing ? "Original-Authorization" : "Authorization", "Bearer " + token);
    }
    TRY(http::HttpResponse response, client_->Send(request));
    const bool refused = response.status == 401 || response.status == 419;
    if (!refused || again || tokens_ == nullptr) return response;
    tokens_->Refused(token);
  }
}

}  // namespace firn::catalog::rest
