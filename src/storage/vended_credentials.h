// Vended settings as a store holds them: found by location, renewed before they expire, dropped when refused.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "storage/vended_settings.h"

namespace firn::storage {

/// Thread-safe. Asks without a lock: several threads may ask for the same at once.
class VendedCredentials {
 public:
  using Clock = std::chrono::system_clock;

  explicit VendedCredentials(VendSettings vend, std::function<Clock::time_point()> now = Clock::now);

  /// What counts for `location`, asked for if need be. Empty options: use the configured ones.
  Result<StoreOptions> For(std::string_view location);

  /// The server refused `options`: they are not given again. Whether others may be taken where these were not, because
  /// they have run out or are not new; what was refused just after it was vended is a right that is missing.
  bool Refused(const StoreOptions& options);

  /// What the server's refusal of `options` means to the user of an open file: kTransient where they have run out, as
  /// others will be taken; else `refusal`.
  Error Judge(Error refusal, const StoreOptions& options);

 private:
  struct Held {
    VendedSettings settings;
    Clock::time_point received;
    Clock::time_point renew_at;
  };
  std::optional<StoreOptions> Find(std::string_view location, Clock::time_point now);
  void Hold(VendedSettings settings, Clock::time_point now);

  const VendSettings vend_;
  const std::function<Clock::time_point()> now_;
  std::mutex mutex_;
  std::vector<Held> held_;  ///< Under mutex_; the oldest first.
};

/// `vended` over `configured`. Credentials don't mix: where any are vended, none of the configured ones stay.
StoreOptions LayOver(const StoreOptions& configured, const StoreOptions& vended);

}  // namespace firn::storage
