#include "maintenance/snapshot_expiry.h"

#include <set>

#include "iceberg/number_property.h"
#include "pipeline/progress.h"

namespace firn::maintenance {
namespace {

using iceberg::NumberProperty;
using iceberg::Snapshot;
using iceberg::SnapshotId;
using iceberg::TableMetadata;

constexpr char kMainRef[] = "main";

const Snapshot* ParentOf(const TableMetadata& metadata, const Snapshot& snapshot) {
  return snapshot.parent_snapshot_id ? metadata.FindSnapshot(*snapshot.parent_snapshot_id) : nullptr;
}

/// Calls `keep(snapshot, place)` from `head` back, until it says no.
template <typename Keep>
void WalkBack(const TableMetadata& metadata, const Snapshot* head, Keep keep) {
  // A chain can't be longer than the snapshots there are.
  for (size_t place = 0; head != nullptr && place < metadata.snapshots.size(); ++place) {
    if (!keep(*head, place)) return;
    head = ParentOf(metadata, *head);
  }
}

bool IsExpiredRef(const TableMetadata& metadata, const std::string& name, const iceberg::SnapshotRef& ref,
                  int64_t now_ms) {
  const Snapshot* head = metadata.FindSnapshot(ref.snapshot_id);
  return name != kMainRef && ref.max_ref_age_ms && head != nullptr && now_ms - head->timestamp_ms > *ref.max_ref_age_ms;
}

void KeepProgress(const TableMetadata& metadata, std::set<SnapshotId>& kept) {
  std::set<SnapshotId> walked;
  WalkBack(metadata, metadata.CurrentSnapshot(), [&](const Snapshot& snapshot, size_t) {
    walked.insert(snapshot.snapshot_id);
    const bool is_firns = snapshot.summary.contains(pipeline::kLsnKey);
    if (is_firns) kept.merge(walked);
    return !is_firns;
  });
}

}  // namespace

Retention RetentionOf(const TableMetadata& metadata, Retention otherwise) {
  return {
      .max_age_ms = NumberProperty(metadata, "history.expire.max-snapshot-age-ms", otherwise.max_age_ms),
      .min_snapshots = NumberProperty(metadata, "history.expire.min-snapshots-to-keep", otherwise.min_snapshots),
  };
}

Expired FindExpired(const TableMetadata& metadata, const Retention& retention, int64_t now_ms) {
  Expired expired;
  std::set<SnapshotId> kept;
  std::set<SnapshotId> of_branches;
  if (metadata.current_snapshot_id) kept.insert(*metadata.current_snapshot_id);
  KeepProgress(metadata, kept);
  for (const auto& [name, ref] : metadata.refs) {
    if (IsExpiredRef(metadata, name, ref, now_ms)) {
      expired.refs.push_back(name);
      continue;
    }
    kept.insert(ref.snapshot_id);
    if (!ref.is_branch) continue;
    const int64_t max_age_ms = ref.max_snapshot_age_ms.value_or(retention.max_age_ms);
    const auto least = static_cast<size_t>(ref.min_snapshots_to_keep.value_or(retention.min_snapshots));
    WalkBack(metadata, metadata.FindSnapshot(ref.snapshot_id), [&](const Snapshot& snapshot, size_t place) {
      of_branches.insert(snapshot.snapshot_id);
      if (place < least || now_ms - snapshot.timestamp_ms <= max_age_ms) kept.insert(snapshot.snapshot_id);
      return true;
    });
  }
  for (const Snapshot& snapshot : metadata.snapshots) {
    const bool is_young =
        !of_branches.contains(snapshot.snapshot_id) && now_ms - snapshot.timestamp_ms <= retention.max_age_ms;
    if (!is_young && !kept.contains(snapshot.snapshot_id)) expired.snapshots.push_back(snapshot.snapshot_id);
  }
  return expired;
}

}  // namespace firn::maintenance
