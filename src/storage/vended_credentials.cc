#include "storage/vended_credentials.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/try.h"

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

/// Whether `location` begins with `prefix`, at the end of a name: "s3://lake/orders" says nothing of
/// "s3://lake/orders2". A prefix without "://" is a kind of store.
bool Covers(std::string_view prefix, std::string_view location) {
  if (!location.starts_with(prefix)) return false;
  return prefix.find("://") == prefix.npos || prefix.ends_with('/') || location.size() == prefix.size() ||
         location[prefix.size()] == '/';
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
  const bool covered =
      std::ranges::any_of(vended, [&](const VendedSettings& settings) { return Covers(settings.prefix, location); });
  std::lock_guard lock(mutex_);
  const Clock::time_point now = now_();
  const auto longest = [&]() -> const VendedSettings* {
    const VendedSettings* best = nullptr;
    for (const VendedSettings& settings : vended) {
      if (!Covers(settings.prefix, location)) continue;
      if (best == nullptr || settings.prefix.size() > best->prefix.size()) best = &settings;
    }
    return best;
  };
  StoreOptions options;
  if (const VendedSettings* best = longest()) options = best->options;
  for (VendedSettings& settings : vended) Hold(std::move(settings), now);
  if (!covered) Hold({.prefix = FolderOf(location), .expires_at = now + kNothingVendedFor}, now);
  return options;
}

std::optional<StoreOptions> VendedCredentials::Find(std::string_view location, Clock::time_point now) {
  std::erase_if(held_, [&](const Held& held) { return held.renew_at <= now; });
  const Held* best = nullptr;
  for (const Held& held : held_) {
    if (!Covers(held.settings.prefix, location)) continue;
    if (best == nullptr || held.settings.prefix.size() > best->settings.prefix.size()) best = &held;
  }
  if (best == nullptr) return std::nullopt;
  return best->settings.options;
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
