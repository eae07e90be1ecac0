// When the open batches are written and committed. Pure: the clock comes in.
#pragma once

#include <chrono>
#include <cstddef>

namespace firn::pipeline {

struct FlushLimits {
  std::chrono::milliseconds commit_interval{10'000};
  /// Rows that are held and not yet handed over, over all tables: at half of the budget a flush starts, so that the
  /// other half is there for what arrives meanwhile.
  size_t memory_bytes = 512 << 20;
};

struct BufferedState {
  size_t open_bytes = 0;      ///< In open batches.
  size_t flushing_bytes = 0;  ///< Handed to the committer and not yet committed.
  bool has_changes = false;
  std::chrono::steady_clock::time_point oldest_change;  ///< When has_changes.
};

enum class FlushDecision {
  kWait,
  kCommit,  ///< Now, or at the end of the transaction that is open.
  kSpill,   ///< Memory is short: write files now, also in the middle of a transaction; the commit comes at its end.
};

inline FlushDecision DecideFlush(const FlushLimits& limits, const BufferedState& state,
                                 std::chrono::steady_clock::time_point now) {
  if (!state.has_changes) return FlushDecision::kWait;
  if (state.open_bytes + state.flushing_bytes >= limits.memory_bytes || state.open_bytes >= limits.memory_bytes / 2) {
    return FlushDecision::kSpill;
  }
  if (now - state.oldest_change >= limits.commit_interval) return FlushDecision::kCommit;
  return FlushDecision::kWait;
}

}  // namespace firn::pipeline
