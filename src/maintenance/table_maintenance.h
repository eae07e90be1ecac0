// The upkeep of one table: its files compacted, its old snapshots expired, files that nothing names removed. Works
// beside a firn that streams into the table, as any other writer may.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "base/retry_policy.h"
#include "catalog/catalog.h"
#include "firn/result.h"
#include "maintenance/orphan_files.h"
#include "maintenance/reachable_files.h"
#include "maintenance/rewrite_plan.h"
#include "maintenance/snapshot_expiry.h"
#include "observe/metrics.h"
#include "pipeline/partitioned_writer.h"
#include "storage/file_store.h"

namespace firn::maintenance {

/// What maintenance works with; it outlives every call.
struct MaintenanceContext {
  catalog::Catalog& catalog;
  storage::FileStore& store;
  Metrics& metrics;
  RetryPolicy retry;
};

/// A table's files at a snapshot.
struct FileCounts {
  int64_t data_files = 0;
  int64_t delete_files = 0;
  int64_t bytes = 0;
};

struct CompactReport {
  FileCounts before;
  FileCounts after;
  int64_t groups = 0;  ///< That were rewritten, each in a commit of its own.
  int64_t bytes_written = 0;
  std::string sorted_by;  ///< The order of rewritten files, for people; empty: none.
};

/// Rewrites what PlanRewrites finds (of a table whose rows are sorted, up to 16 files' worth at a time), group by
/// group: what is committed stays when a later group fails. A group whose files others changed at the same time is
/// planned anew, some times. kCancelled on request.
Result<CompactReport> CompactTable(const MaintenanceContext& context, const iceberg::TableIdent& ident,
                                   const RewriteLimits& limits, const pipeline::DataFileOptions& files,
                                   std::stop_token stop);

struct ExpireReport {
  int64_t snapshots = 0;
  int64_t files = 0;  ///< That only they needed, and that are gone.
};

/// Removes snapshots past their time, and then the files that no snapshot needs any more. A kill in between leaves
/// orphans. `kept`: what was remembered at the last time of this table, if it was. kUnsupported for a table whose files
/// may not be deleted (MayDeleteFiles).
Result<ExpireReport> ExpireSnapshots(const MaintenanceContext& context, const iceberg::TableIdent& ident,
                                     const Retention& retention, int64_t now_ms, SnapshotFiles& kept,
                                     std::stop_token stop);

/// Deletes files that FindOrphans gave. kCancelled on request.
Status DeleteFiles(storage::FileStore& store, const std::vector<storage::FileInfo>& files, std::stop_token stop);

}  // namespace firn::maintenance
