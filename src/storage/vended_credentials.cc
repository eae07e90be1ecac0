#include "storage/vended_credentials.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/try.h"
#include "storage/store_error.h"
#include "storage/store_location.h"

namespace firn::storage {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

/// Prefixes held: one for each table, at least; the oldest go.
constexpr size_t kHeldMax = 10'000;
/// Settings are renewed when a quarter of their time is left, but not earlier than a file can be expected to take.
constexpr minutes kRenewBeforeMax{5};
constexpr minutes kNothingVendedFor{1};
/// A refusal of settings as new as this is not because of their age.
constexpr seconds kNew{60};

constexpr std::array<std::string_view, 14> kCredentialKeys = {
    "access_key_id",     "secret_access_key", "session_token",    "anonymous",    "role_arn",
    "role_session_name", "role_external_id",  "credentials_file", "token",        "account_key",
    "sas_token",         "tenant_id",         "client_id",        "client_secret"};

bool IsCredential(const std::string& key) { return std::ranges::find(kCredentialKeys, key) != kCredentialKeys.end(); }

/// A prefix without "://" is a kind of store, or everything.
bool Covers(std::string_view prefix, std::string_view location) {
  return prefix.find("://") == prefix.npos ? location.starts_with(prefix) : IsAtOrBelow(location, prefix);
}

/// The one with the longest prefix of those that cover `location`; null where none does.
template <typename Entry, typename PrefixOf>
const Entry* Closest(const std::vector<Entry>& entries, std::string_view location, PrefixOf prefix_of) {
  const Entry* closest = nullptr;
  for (const Entry& entry : entries) {
    if (!Covers(prefix_of(entry), location)) continue;
    if (closest == nullptr || prefix_of(entry).size() > prefix_of(*closest).size()) closest = &entry;
  }
  return closest;
}

std::string FolderOf(std::string_view location) {
  return std::string(location.substr(0, location.find_last_of('/') + 1));
}

}  // namespace

VendedCredentials::VendedCredentials(VendSettings vend, std::function<Clock::time_point()> now)
    : vend_(std::move(vend)), now_(std::move(now)) {}

Result<StoreOptions> VendedCredentials::For(std::string_view location) {
  {
    std::lock_guard lock(mutex_);
    if (auto options = Find(location, now_())) return *std::move(options);
  }
  TRY(std::vector<VendedSettings> vended, vend_(location));
  std::lock_guard lock(mutex_);
  const Clock::time_point now = now_();
  StoreOptions options;
  const auto prefix_of = [](const VendedSettings& settings) -> const std::string& { return settings.prefix; };
  if (const VendedSettings* closest = Closest(vended, location, prefix_of)) {
    options = closest->options;
  } else {
    vended.push_back({.prefix = FolderOf(location), .options = {}, .expires_at = now + kNothingVendedFor});
  }
  for (VendedSettings& settings : vended) Hold(std::move(settings), now);
  return options;
}

std::optional<StoreOptions> VendedCredentials::Find(std::string_view location, Clock::time_point now) {
  std::erase_if(held_, [&](const Held& held) { return held.renew_at <= now; });
  const Held* closest =
      Closest(held_, location, [](const Held& held) -> const std::string& { return held.settings.prefix; });
  if (closest == nullptr) return std::nullopt;
  return closest->settings.options;
}

void VendedCredentials::Hold(VendedSettings settings, Clock::time_point now) {
  std::erase_if(held_, [&](const Held& held) { return held.settings.prefix == settings.prefix; });
  if (held_.size() >= kHeldMax) held_.erase(held_.begin());
  Clock::time_point renew_at = Clock::time_point::max();
  if (settings.expires_at) {
    const Clock::duration left = *settings.expires_at - now;
    renew_at = *settings.expires_at - std::min<Clock::duration>(kRenewBeforeMax, left / 4);
  }
  held_.push_back({.settings = std::move(settings), .received = now, .renew_at = renew_at});
}

bool VendedCredentials::Refused(const StoreOptions& options) {
  std::lock_guard lock(mutex_);
  const Clock::time_point now = now_();
  bool any = false;
  bool all_new = true;
  std::erase_if(held_, [&](const Held& held) {
    if (held.settings.options != options) return false;
    any = true;
    const bool expired = held.settings.expires_at && *held.settings.expires_at <= now;
    all_new = all_new && !expired && now - held.received < kNew;
    return true;
  });
  return !any || !all_new;  // Those that are not held any more were renewed meanwhile.
}

Error VendedCredentials::Judge(Error refusal, const StoreOptions& options) {
  const bool are_old = Refused(options);
  if (!are_old && !HaveCredentialsExpired(refusal)) return refusal;
  return std::move(refusal)
      .WithKind(ErrorKind::kTransient)
      .WithContext("the credentials that the catalog vended have run out meanwhile; fresh ones are asked for");
}

StoreOptions LayOver(const StoreOptions& configured, const StoreOptions& vended) {
  const bool vends_credentials =
      std::ranges::any_of(vended, [](const auto& option) { return IsCredential(option.first); });
  StoreOptions options = vended;
  for (const auto& [key, value] : configured) {
    if (!vends_credentials || !IsCredential(key)) options.emplace(key, value);
  }
  return options;
}

}  // namespace firn::storage
