#include "observe/retrier.h"

#include <fmt/format.h>

#include "base/interruptible_sleep.h"
#include "observe/log.h"

namespace firn {
namespace {

/// A store that is down fails on every thread at once: a line a second for each kind of call tells enough.
constexpr std::chrono::seconds kLogInterval{1};

}  // namespace

bool Retrier::WaitBefore(int retry, std::string_view what, std::string_view subject, const Error& error) {
  if (retry >= policy_.max_retries || stop_.stop_requested()) return false;
  std::chrono::milliseconds delay;
  {
    std::lock_guard lock(mutex_);
    delay = policy_.Delay(error, retry, random_);
  }
  metrics_.AddRetry(what);
  if (const auto left_out = MayLog(what)) {
    LogWarn("a call failed and is tried again", {{"what", what},
                                                 {"subject", subject},
                                                 {"attempt", retry + 1},
                                                 {"delay_ms", delay.count()},
                                                 {"cause", error.message()},
                                                 {"lines_left_out", *left_out}});
  }
  return SleepFor(delay, stop_);
}

void Retrier::TellOfCall(std::string_view what, std::string_view subject, bool went_well,
                         std::chrono::steady_clock::time_point start) {
  if (!IsLogged(LogLevel::kDebug)) return;
  const auto duration = std::chrono::steady_clock::now() - start;
  LogDebug(what.starts_with("catalog") ? "called the catalog" : "called the store",
           {{"what", what},
            {"subject", subject},
            {"done", went_well},
            {"duration_ms", std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()}});
}

std::optional<int64_t> Retrier::MayLog(std::string_view what) {
  const auto now = std::chrono::steady_clock::now();
  std::lock_guard lock(mutex_);
  const auto [state, is_first] = log_.try_emplace(std::string(what), LogState{.last = now});
  if (!is_first && now - state->second.last < kLogInterval) {
    ++state->second.left_out;
    return std::nullopt;
  }
  state->second.last = now;
  return std::exchange(state->second.left_out, 0);
}

Error Retrier::GivenUp(Error error, int retries) const {
  if (stop_.stop_requested()) return std::move(error).WithKind(ErrorKind::kCancelled).WithContext("stopped");
  if (retries == 0) return error;
  return std::move(error)
      .WithKind(ErrorKind::kWriteFailed)
      .WithContext(fmt::format("given up after {} retries", retries));
}

}  // namespace firn
