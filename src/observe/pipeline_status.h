// What a pipeline tells of itself: written by the replicator, read by the HTTP server and `firn status`.
#pragma once

#include <chrono>
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
  kStopped,    ///< No longer in the source or its publication; its Iceberg table stays.
};
std::string_view ToString(TableState state);

/// The table's current snapshot, by its summary.
struct TableContents {
  int64_t rows = 0;  ///< Live ones: deleted rows are taken off.
  int64_t data_files = 0;
  int64_t delete_files = 0;
  int64_t deleted_rows = 0;  ///< Still in data files, marked by delete files.
  int64_t bytes = 0;         ///< Of all these files.
};

struct TableStatus {
  std::string source;  ///< "public.orders"
  std::string target;  ///< "public.orders" in the catalog
  TableState state = TableState::kPending;
  std::string reason;
  int64_t next_try_ms = 0;  ///< Of one that waits after a failure, parked or not: Unix time; 0: it waits for none.
  int64_t rows_estimated = 0;
  int64_t rows_copied = 0;
  int64_t rows_written = 0;  ///< Since this process started.
  int64_t snapshot_id = 0;
  std::string committed_lsn;
  int64_t last_commit_ms = 0;             ///< Unix time; 0: none yet.
  std::optional<TableContents> contents;  ///< Nothing before the first commit.
};

/// The replication slot, as PostgreSQL tells of it.
struct SlotStatus {
  bool exists = false;
  bool active = false;
  std::string wal_status;  ///< "reserved", "extended", "unreserved", "lost"
  std::string confirmed_lsn;
  int64_t retained_bytes = 0;  ///< WAL that the server keeps for it.
};

/// What is around the pipeline: looked at from time to time, beside its work.
struct Surroundings {
  std::optional<SlotStatus> slot;  ///< Nothing while PostgreSQL doesn't answer.
  int64_t memory_bytes = 0;        ///< Of this process, resident.
  int64_t index_bytes = 0;         ///< On disk.
  int64_t spool_bytes = 0;         ///< On disk: large transactions in progress.
};

/// The WAL that waits in PostgreSQL for who reads the slot, as it was when somebody looked.
struct WaitingWal {
  std::string server_lsn;  ///< Where the WAL ends.
  int64_t bytes = 0;       ///< From what the slot has confirmed to there.
  int64_t since_ms = 0;    ///< Unix time before which none of it was written.
};

struct Failure {
  std::string message;
  int64_t at_ms = 0;  ///< Unix time.
};

struct PipelineStatus {
  std::string pipeline;    ///< The slot's name.
  std::string state;       ///< "starting", "copying", "streaming", "paused", "retrying", "stopping"
  std::string server_lsn;  ///< The end of the server's log, as far as it was told.
  std::string received_lsn;
  std::string applied_lsn;  ///< Up to it, whole transactions are in batches.
  std::string committed_lsn;
  std::string acknowledged_lsn;
  int64_t lag_bytes = 0;
  double lag_seconds = 0;
  int64_t buffered_bytes = 0;
  int64_t received_bytes = 0;  ///< Since the stream began.
  int64_t decoded_changes = 0;
  std::vector<TableStatus> tables;
  Surroundings surroundings;            ///< The board's; Set leaves it alone.
  std::string slot_warning;             ///< Likewise: why the slot may be lost; "" while all is well.
  std::optional<Failure> last_failure;  ///< Likewise. It stays when the pipeline has recovered.
};
std::string ToJson(const PipelineStatus& status, std::chrono::system_clock::time_point now);

/// Whether the pipeline reads the stream, which tells how far it is behind. Not so while it copies, or starts again.
bool ReadsStream(const PipelineStatus& status);
/// Fills in how far a pipeline is behind that doesn't read the stream now. Pure.
void ShowWaitingWal(const WaitingWal& waiting, int64_t now_ms, PipelineStatus& status);

/// Thread-safe holder of the latest status.
class StatusBoard {
 public:
  void Set(PipelineStatus status);
  void SetSurroundings(Surroundings surroundings);
  /// The pipeline failed and will start again: it is "retrying" until the next Set.
  void SetFailure(std::string message, int64_t at_ms);
  /// Why the slot may be lost; "": it is not near that.
  void SetSlotWarning(std::string warning);
  /// Nothing where there is no slot.
  void SetWaitingWal(std::optional<WaitingWal> waiting);
  PipelineStatus Get() const;

 private:
  mutable std::mutex mutex_;
  PipelineStatus status_;
  std::optional<WaitingWal> waiting_;
};

}  // namespace firn
