// Tries again what may pass: the one loop around calls of stores and catalogs, with its metrics and its log lines.
//
//   Retrier retrier({.max_retries = 10}, metrics, stop);
//   auto table = retrier.Run("catalog_load", name, [&] { return catalog.LoadTable(ident); });
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "base/retry_policy.h"
#include "base/system_random.h"
#include "firn/result.h"
#include "observe/metrics.h"

namespace firn {

/// Thread-safe. `metrics` outlives it. A stop ends every pause.
class Retrier {
 public:
  Retrier(const RetryPolicy& policy, Metrics& metrics, std::stop_token stop)
      : policy_(policy), metrics_(metrics), stop_(std::move(stop)) {}

  /// Calls `call` until it gives something else than kTransient, at most the policy's retries more: then kWriteFailed.
  /// kCancelled when a stop comes in a pause. `what` is the kind of call, the metric's label ("store_read"); `subject`
  /// is what it was about, for the log.
  template <typename Call>
  auto Run(std::string_view what, std::string_view subject, Call&& call) -> decltype(call()) {
    for (int retry = 0;; ++retry) {
      const auto start = std::chrono::steady_clock::now();
      auto result = call();
      TellOfCall(what, subject, result.has_value(), start);
      if (result.has_value() || result.error().kind() != ErrorKind::kTransient) return result;
      if (!WaitBefore(retry, what, subject, result.error())) return GivenUp(std::move(result).error(), retry);
    }
  }

  /// For loops that aren't firn's: waits before retry number `retry` (0 is the first). False when there is to be none:
  /// the retries are used up, or a stop came.
  bool WaitBefore(int retry, std::string_view what, std::string_view subject, const Error& error);

  const RetryPolicy& policy() const { return policy_; }

 private:
  /// In the log, at level debug.
  static void TellOfCall(std::string_view what, std::string_view subject, bool went_well,
                         std::chrono::steady_clock::time_point start);
  Error GivenUp(Error error, int retries) const;
  /// How many lines were left out since the last one; nothing where this one is to be left out, too.
  std::optional<int64_t> MayLog(std::string_view what);

  const RetryPolicy policy_;
  Metrics& metrics_;
  const std::stop_token stop_;
  std::mutex mutex_;
  SystemRandom random_;
  struct LogState {
    std::chrono::steady_clock::time_point last;
    int64_t left_out = 0;
  };
  std::map<std::string, LogState, std::less<>> log_;  ///< Under mutex_; by `what`.
};

}  // namespace firn
