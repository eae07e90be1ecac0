#include "catalog/rest/token_source.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/try.h"
#include "catalog/rest/rest_json.h"
#include "catalog/unknown_outcome.h"
#include "http/percent_encoding.h"
#include "observe/redact.h"

namespace firn::catalog::rest {
namespace {

/// How long before its end a token is renewed: a fifth of its life, at most this.
constexpr std::chrono::seconds kRenewBeforeMax{60};
constexpr int64_t kLifeSecondsMax = 365 * 24 * 3600;

void AddParameter(std::string& form, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  if (!form.empty()) form += '&';
  form += http::PercentEncode(name) + "=" + http::PercentEncode(value);
}

}  // namespace

Result<std::string> TokenSource::Get() {
  std::unique_lock lock(mutex_);
  if (token_ && Clock::now() < token_->renew_at) return token_->text;
  if (fetching_) {
    // Another thread renews it. Until then the old one does, if it still holds.
    if (token_ && Clock::now() < token_->expires_at) return token_->text;
    const int seen = fetches_;
    fetched_.wait(lock, [&] { return fetches_ != seen; });  // As long as the client's time-outs let it last.
    if (last_error_) return *last_error_;
    if (token_) return token_->text;
    return MakeError(ErrorKind::kTransient, ErrorOrigin::kCatalog, "the token was refused while it was renewed");
  }

  fetching_ = true;
  lock.unlock();
  auto fresh = Fetch();
  lock.lock();
  fetching_ = false;
  ++fetches_;
  fetched_.notify_all();
  if (fresh.has_value()) {
    last_error_.reset();
    token_ = std::move(*fresh);
    return token_->text;
  }
  if (token_ && Clock::now() < token_->expires_at) {
    last_error_.reset();
    return token_->text;
  }
  last_error_ = fresh.error();
  return std::move(fresh).error();
}

void TokenSource::Refused(const std::string& token) {
  std::lock_guard lock(mutex_);
  if (token_ && token_->text == token) token_.reset();
}

Result<TokenSource::Token> TokenSource::Fetch() const {
  std::string form;
  AddParameter(form, "grant_type", "client_credentials");
  AddParameter(form, "client_id", options_.client_id);
  AddParameter(form, "client_secret", options_.client_secret);
  AddParameter(form, "scope", options_.scope);
  for (const auto& [name, value] : options_.parameters) AddParameter(form, name, value);

  const auto asked = Clock::now();
  auto response =
      client_.Send({.method = "POST",
                    .url = options_.server_uri,
                    .headers = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}},
                    .body = std::move(form),
                    .signing = std::nullopt});
  if (!response) {
    return AsRepeatable(std::move(response).error()).WithContext("asking for an OAuth2 token");
  }
  if (response->status != 200) {
    const bool may_pass = response->status >= 500 || response->status == 429 || response->status == 408;
    const std::string said = RedactSecrets(ReadTokenError(response->body));
    Error error(may_pass ? ErrorKind::kTransient : ErrorKind::kPermission,
                fmt::format("{} gave no OAuth2 token (status {}{}{}){}", RedactSecrets(options_.server_uri),
                            response->status, said.empty() ? "" : ": ", said,
                            may_pass ? "" : "; check catalog.credential, catalog.scope and catalog.oauth2_server_uri"),
                ErrorOrigin::kCatalog, fmt::to_string(response->status));
    return std::move(error).WithRetryAfter(response->RetryAfter().value_or(std::chrono::milliseconds(0)));
  }
  auto answer = ReadToken(response->body);
  if (!answer) {
    return MakeError(ErrorKind::kTransient, ErrorOrigin::kCatalog, "{} answered with no OAuth2 token: {}",
                     RedactSecrets(options_.server_uri), answer.error().message());
  }
  Token token{.text = std::move(answer->access_token),
              .renew_at = Clock::time_point::max(),
              .expires_at = Clock::time_point::max()};
  if (answer->expires_in_seconds) {
    const std::chrono::milliseconds life =
        std::chrono::seconds(std::clamp<int64_t>(*answer->expires_in_seconds, 0, kLifeSecondsMax));
    token.expires_at = asked + life;
    token.renew_at = token.expires_at - std::min<std::chrono::milliseconds>(life / 5, kRenewBeforeMax);
  }
  return token;
}

}  // namespace firn::catalog::rest
