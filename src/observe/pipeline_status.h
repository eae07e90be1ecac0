// What a pipeline tells of itself: written by the replicator, read by the HTTP server and `firn status`.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace firn {

enum class TableState : uint8_t {
  kPending,    ///< Known, not copied yet. Set at start.
  kCopying,    ///< Its initial copy runs. Set by pipeline/table_copy.
  kStreaming,  ///< Copied; changes are applied. Set after the copy's commit, or at start from the table itself.
  kParked,     ///< Can't go on; `reason` says why.
};
std::string_view ToString(TableState state);

struct TableStatus {
  std::string source;  ///< "public.orders"
  std::string target;  ///< "public.orders" in the catalog
  TableState state = TableState::kPending;
  std::string reason;
  int64_t rows_estimated = 0;
  int64_t rows_copied = 0;
  int64_t rows_written = 0;  ///< Since this process started.
  int64_t snapshot_id = 0;
  std::string committed_lsn;
  int64_t last_commit_ms = 0;  ///< Unix time; 0: none yet.
};

struct PipelineStatus {
  std::string pipeline;  ///< The slot's name.
  std::string state;     ///< "starting", "copying", "streaming", "stopping"
  std::string received_lsn;
  std::string committed_lsn;
  std::string acknowledged_lsn;
  int64_t lag_bytes = 0;
  double lag_seconds = 0;
  std::vector<TableStatus> tables;
};
std::string ToJson(const PipelineStatus& status);

/// Thread-safe holder of the latest status.
class StatusBoard {
 public:
  void Set(PipelineStatus status) {
    std::lock_guard lock(mutex_);
    status_ = std::move(status);
  }
  PipelineStatus Get() const {
    std::lock_guard lock(mutex_);
    return status_;
  }

 private:
  mutable std::mutex mutex_;
  PipelineStatus status_;
};

}  // namespace firn
