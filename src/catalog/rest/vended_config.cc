#include "catalog/rest/vended_config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

namespace firn::catalog::rest {
namespace {

struct Word {
  std::string_view theirs;
  std::string_view ours;
};

/// A later one of the same `ours` wins.
constexpr std::array kWords = std::to_array<Word>({
    {"client.region", "region"},
    {"s3.region", "region"},
    {"s3.endpoint", "endpoint"},
    {"s3.path-style-access", "path_style"},
    {"s3.access-key-id", "access_key_id"},
    {"s3.secret-access-key", "secret_access_key"},
    {"s3.session-token", "session_token"},
    {"gcs.service.host", "endpoint"},
    {"gcs.oauth2.token", "token"},
    {"gcs.no-auth", "anonymous"},
    {"adls.auth.shared-key.account.name", "account"},
    {"adls.auth.shared-key.account.key", "account_key"},
});

constexpr std::array kExpiries =
    std::to_array<std::string_view>({"s3.session-token-expires-at-ms", "gcs.oauth2.token-expires-at"});
constexpr std::string_view kSasToken = "adls.sas-token.";
constexpr std::string_view kSasExpiry = "adls.sas-token-expires-at-ms.";

std::optional<std::chrono::system_clock::time_point> ParseMillis(const std::string& text) {
  int64_t ms = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return std::chrono::system_clock::time_point(std::chrono::milliseconds(ms));
}

storage::VendedSettings Translate(const std::string& prefix, const Settings& settings) {
  storage::VendedSettings vended{.prefix = prefix, .options = {}, .expires_at = std::nullopt};
  const auto expires = [&](const std::string& text) {
    const auto time = ParseMillis(text);
    if (time && (!vended.expires_at || *time < *vended.expires_at)) vended.expires_at = time;
  };
  for (const Word& word : kWords) {
    const auto found = settings.find(std::string(word.theirs));
    if (found != settings.end()) vended.options[std::string(word.ours)] = found->second;
  }
  for (const std::string_view key : kExpiries) {
    if (const auto found = settings.find(std::string(key)); found != settings.end()) expires(found->second);
  }
  for (const auto& [key, value] : settings) {
    // "adls.sas-token.ACCOUNT" or "adls.sas-token.ACCOUNT.dfs.core.windows.net"
    if (key.starts_with(kSasToken)) {
      const std::string host = key.substr(kSasToken.size());
      vended.options["account"] = host.substr(0, host.find('.'));
      vended.options["sas_token"] = value;
    } else if (key.starts_with(kSasExpiry)) {
      expires(value);
    }
  }
  return vended;
}

}  // namespace

std::vector<storage::VendedSettings> ToVendedSettings(const Settings& config,
                                                      const std::vector<StorageCredential>& credentials) {
  std::vector<storage::VendedSettings> all;
  for (const StorageCredential& credential : credentials) {
    Settings settings = credential.config;
    settings.insert(config.begin(), config.end());
    all.push_back(Translate(credential.prefix, settings));
  }
  if (credentials.empty()) all.push_back(Translate("", config));
  std::erase_if(all, [](const storage::VendedSettings& vended) { return vended.options.empty(); });
  return all;
}

}  // namespace firn::catalog::rest
