// How far a pipeline is: kept in each table's snapshot summary, in the same commit as the rows, and told to the slot
// only after that commit.
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

/// Which pipeline of which cluster writes a table.
struct PipelineIdentity {
  std::string pipeline;           ///< The slot's name.
  std::string system_identifier;  ///< Of the PostgreSQL cluster; empty for an application's own source.
  bool operator==(const PipelineIdentity&) const = default;
};

/// What a table's snapshots say of its last commit by firn.
struct TableProgress {
  Lsn lsn;  ///< All transactions whose commit record starts before it are in the table, none that starts at or after
            ///< it.
  PipelineIdentity writer;
  std::string commit_id;
};

/// Looks from the current snapshot back through its parents: another writer (a compaction by Spark) may have committed
/// after firn. Nothing when firn never committed.
Result<std::optional<TableProgress>> ReadProgress(const iceberg::TableMetadata& metadata);

/// The summary entries of a commit.
iceberg::Properties ProgressSummary(const PipelineIdentity& writer, Lsn lsn, const std::string& commit_id);

/// Fencing: only the writer that made the table's last firn commit may make the next one. kSourceLost where `fresh`
/// holds a commit of firn that `base` doesn't, kAlreadyExists where that is of another pipeline or the table is
/// another.
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
