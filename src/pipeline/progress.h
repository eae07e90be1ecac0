// How far a pipeline is: kept in each table's snapshot summary and in a property, in the same commit as the rows, and
// told to the slot only after that commit.
//
//   acknowledged ≤ committed ≤ written ≤ assembled ≤ received
#pragma once

#include <optional>
#include <string>

#include "catalog/commit_loop.h"
#include "firn/result.h"
#include "iceberg/table_metadata.h"
#include "model/lsn.h"

namespace firn::pipeline {

// Snapshot summary keys (docs/snapshot_summary.md). The commit id's key is catalog::kCommitIdKey.
inline constexpr char kLsnKey[] = "firn.lsn";
inline constexpr char kPipelineKey[] = "firn.pipeline";
inline constexpr char kSystemIdentifierKey[] = "firn.system-identifier";
inline constexpr char kTimelineKey[] = "firn.timeline";
/// Table property: the summary entries of firn's last commit, as a JSON object. It outlives the snapshot, which others
/// may expire, and does not go back with the table.
inline constexpr char kProgressProperty[] = "firn.progress";

/// Which pipeline of which cluster writes a table.
struct PipelineIdentity {
  std::string pipeline;           ///< The slot's name.
  std::string system_identifier;  ///< Of the PostgreSQL cluster; empty for an application's own source.
  int timeline = 0;               ///< That the cluster's log is on; 0 where it isn't known.
  /// Whatever the timeline: a promoted standby is the same cluster.
  bool operator==(const PipelineIdentity& other) const {
    return pipeline == other.pipeline && system_identifier == other.system_identifier;
  }
};

/// What a table's snapshots say of its last commit by firn.
struct TableProgress {
  Lsn lsn;  ///< All transactions whose commit record starts before it are in the table, none that starts at or after
            ///< it.
  PipelineIdentity writer;
  std::string commit_id;
  /// The table was rolled back to a snapshot before firn's last commit: what firn wrote since is not in it. `lsn` is
  /// then that of the snapshot, zero where it is of before firn's first commit.
  bool is_taken_back = false;
};

/// Looks from the current snapshot back through its parents: another writer (a compaction by Spark) may have committed
/// after firn. Where firn's snapshots among them have expired, the property tells. Nothing when firn never committed.
Result<std::optional<TableProgress>> ReadProgress(const iceberg::TableMetadata& metadata);
/// What a table that was taken back is told to its operator to be.
std::string WhyTakenBack(const TableProgress& progress);

/// Adds the property to a commit with this summary.
void StateProgress(const iceberg::Properties& summary, iceberg::CommitRequest& request);

/// The summary entries of a commit.
iceberg::Properties ProgressSummary(const PipelineIdentity& writer, Lsn lsn, const std::string& commit_id);

/// Fencing: only the writer that made the table's last firn commit may make the next one. kSourceLost where `fresh`
/// holds a commit of firn that `base` doesn't, kAlreadyExists where that is of another pipeline, or the table is
/// another or was taken back.
Status CheckOnlyWriter(const iceberg::TableMetadata& base, const iceberg::TableMetadata& fresh);

/// The only way from a commit to an acknowledgement: it moves by receipts alone.
class Progress {
 public:
  explicit Progress(Lsn start) : committed_(start) {}

  void Committed(const catalog::CommitReceipt& receipt) {
    if (receipt.lsn() > committed_) committed_ = receipt.lsn();
  }
  /// Everything before it is in Iceberg: safe to acknowledge.
  Lsn committed() const { return committed_; }

 private:
  Lsn committed_;
};

}  // namespace firn::pipeline
