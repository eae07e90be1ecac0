// When the open batches are written and committed. Pure: the clock comes in.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace firn::pipeline {

struct FlushLimits {
  std::chrono::milliseconds commit_interval{10'000};
  /// Rows that are held and not yet written, over all tables.
  size_t memory_bytes = 512 << 20;
  /// Open batches of this size are worth writing while the stream goes on, so that a commit finds most work done.
  /// Smaller ones would have the index sort and merge the more often: of a table of 10 million rows that costs more
  /// than all else.
  size_t write_bytes = 64 << 20;
  /// … and where there are many, of this size on the average: each costs a look into its index and its columns'
  /// writers.
  size_t table_write_bytes = 128 << 10;
};

struct BufferedState {
  size_t open_bytes = 0;                                ///< In open batches.
  size_t open_tables = 0;                               ///< With an open batch.
  size_t flushing_bytes = 0;                            ///< Handed to the committer and not yet written.
  bool has_changes = false;                             ///< Open ones, or written ones that are not committed.
  std::chrono::steady_clock::time_point oldest_change;  ///< When has_changes.
  bool between_transactions = true;                     ///< Only there can a commit be made.
};

enum class FlushDecision {
  kWait,
  kWrite,     ///< Write files when the committer is free, without a commit; also in the middle of a transaction.
  kWriteNow,  ///< The same, and wait for the committer: memory is short.
  kCommit,    ///< Write and commit when the committer is free.
};

inline FlushDecision DecideFlush(const FlushLimits& limits, const BufferedState& state,
                                 std::chrono::steady_clock::time_point now) {
  if (!state.has_changes) return FlushDecision::kWait;
  // At half of the budget, so that the other half is there for what arrives while files are written.
  const bool memory_is_short =
      state.open_bytes + state.flushing_bytes >= limits.memory_bytes || state.open_bytes >= limits.memory_bytes / 2;
  if (memory_is_short && state.open_bytes > 0) return FlushDecision::kWriteNow;
  if (state.between_transactions && now - state.oldest_change >= limits.commit_interval) return FlushDecision::kCommit;
  // Before memory is short: then the stream would wait.
  const size_t worth_it =
      std::min(std::max(limits.write_bytes, state.open_tables * limits.table_write_bytes), limits.memory_bytes / 4);
  if (state.open_bytes > 0 && state.open_bytes >= worth_it) return FlushDecision::kWrite;
  return FlushDecision::kWait;
}

}  // namespace firn::pipeline
