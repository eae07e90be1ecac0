// Which snapshots and refs of a table are past their time. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "iceberg/table_metadata.h"

namespace firn::maintenance {

struct Retention {
  int64_t max_age_ms = int64_t{7} * 24 * 3600 * 1000;
  int32_t min_snapshots = 1;  ///< Of each branch.
  int64_t max_snapshots = 0;  ///< Of main, but no fewer than min_snapshots; 0: no limit.
};

/// `otherwise`, but for what the table's own properties say (history.expire.max-snapshot-age-ms and
/// history.expire.min-snapshots-to-keep). A table that has its own age keeps all that are younger: max_snapshots is 0.
Retention RetentionOf(const iceberg::TableMetadata& metadata, Retention otherwise);

struct Expired {
  std::vector<iceberg::SnapshotId> snapshots;
  std::vector<std::string> refs;  ///< Branches and tags that are older than their own max-ref-age-ms; never main.
  bool empty() const { return snapshots.empty() && refs.empty(); }
};

/// As the spec's "Snapshot Retention Policy" has it: a branch keeps its newest snapshots by count and age (its own
/// policy, else `retention`), a tag its snapshot, and a snapshot of no branch stays for the maximum age.
/// `max_snapshots` concerns main alone, and not where main has an age of its own; what a tag or another branch keeps
/// stays. The snapshots from the current one back to firn's last commit stay too, whatever their age: they hold firn's
/// progress.
Expired FindExpired(const iceberg::TableMetadata& metadata, const Retention& retention, int64_t now_ms);

}  // namespace firn::maintenance
