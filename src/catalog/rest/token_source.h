// The OAuth2 token of a client (RFC 6749, section 4.4: client credentials): asked for when it is needed, kept, and
// renewed before it expires. Many threads that need one at once cause one request.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "firn/result.h"
#include "http/http_client.h"

namespace firn::catalog::rest {

struct TokenOptions {
  std::string server_uri;
  std::string client_id;  ///< Empty: the credential had no ':'.
  std::string client_secret;
  std::string scope;
  std::map<std::string, std::string> parameters;  ///< More of the form: "audience", "resource".
};

/// Thread-safety: every method may be called from any thread.
class TokenSource {
 public:
  /// `client` must outlive this.
  TokenSource(TokenOptions options, http::HttpClient& client) : options_(std::move(options)), client_(client) {}

  /// A token that is not about to expire. kPermission when the server refuses the client, kTransient when it could not
  /// be asked.
  Result<std::string> Get();
  /// A server refused `token`: the next Get brings another, unless that has happened since.
  void Refused(const std::string& token);

 private:
  using Clock = std::chrono::steady_clock;
  struct Token {
    std::string text;
    Clock::time_point renew_at;
    Clock::time_point expires_at;
  };
  Result<Token> Fetch() const;

  const TokenOptions options_;
  http::HttpClient& client_;
  std::mutex mutex_;  ///< For what follows; never held while a token is fetched.
  std::condition_variable fetched_;
  bool fetching_ = false;
  int fetches_ = 0;                  ///< That have ended.
  std::optional<Error> last_error_;  ///< Of the last fetch.
  std::optional<Token> token_;
};

}  // namespace firn::catalog::rest
