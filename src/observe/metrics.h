// What firn counts, in the names that dashboards rely on (docs/metrics.md), kept by prometheus-cpp. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace firn {

class Metrics {
 public:
  Metrics();
  ~Metrics();

  /// The table streams or is copied: what is counted of it is there from now on, with 0, so that nothing is the first
  /// that a rate sees of a series.
  void AddTable(const std::string& table);
  /// A data file was written: rows_written, files_created, write_duration, file_size, batch_size.
  void RecordWrite(const std::string& table, int64_t rows, int64_t bytes, std::chrono::nanoseconds duration);
  /// A table's commit ended: commits_successful or commits_failed, commit_duration.
  void RecordCommit(const std::string& table, bool success, std::chrono::nanoseconds duration);
  void AddOpenFiles(int64_t change);
  void SetPendingCommits(int64_t commits);
  void SetTableCount(int64_t tables);

  /// Replication: bytes of WAL received and still to commit, changes decoded, age of the oldest change not committed.
  void AddReceived(int64_t bytes, int64_t changes);
  void SetLag(int64_t bytes, double seconds);
  void SetBufferedBytes(int64_t bytes);
  /// How much WAL may be written before the slot may be lost; nothing: no limit is set.
  void SetSlotSafeWal(std::optional<int64_t> bytes);
  /// A call of a catalog or a store failed and is tried again; `what` as of Retrier.
  void AddRetry(std::string_view what);
  /// Whether the table can't go on (TableState::kParked).
  void SetTableParked(const std::string& table, bool is_parked);
  /// A rewrite of data files was committed: how many of them are others now, and the bytes of those.
  void RecordCompaction(const std::string& table, int64_t files, int64_t bytes_written);
  void AddExpiredSnapshots(const std::string& table, int64_t snapshots);
  void AddCopiedRows(const std::string& table, int64_t rows);
  /// Values that a column's Iceberg type can't hold, and that `policy` ("clamp", "null") replaced. Whether these are
  /// the column's first ones.
  bool AddUnrepresentableValues(const std::string& table, const std::string& column, const std::string& policy,
                                int64_t values);

  /// The text exposition format.
  std::string Expose() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Counts a data file as being written for as long as it lives.
class OpenFileCount {
 public:
  explicit OpenFileCount(Metrics& metrics) : metrics_(metrics) { metrics_.AddOpenFiles(1); }
  ~OpenFileCount() { metrics_.AddOpenFiles(-1); }
  OpenFileCount(const OpenFileCount&) = delete;
  OpenFileCount& operator=(const OpenFileCount&) = delete;

 private:
  Metrics& metrics_;
};

}  // namespace firn
