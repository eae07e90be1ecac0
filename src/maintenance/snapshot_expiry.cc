#include "maintenance/snapshot_expiry.h"

#include <set>
#include <string>
#include <unordered_map>

#include "iceberg/number_property.h"
#include "pipeline/progress.h"

namespace firn::maintenance {
namespace {

using iceberg::NumberProperty;
using iceberg::Snapshot;
using iceberg::SnapshotId;
using iceberg::TableMetadata;

constexpr char kMaxAgeProperty[] = "history.expire.max-snapshot-age-ms";

/// A table's snapshots by id: walks along thousands of them look each up.
class Snapshots {
 public:
  explicit Snapshots(const TableMetadata& metadata) {
    for (const Snapshot& snapshot : metadata.snapshots) by_id_.emplace(snapshot.snapshot_id, &snapshot);
  }

  const Snapshot* Find(std::optional<SnapshotId> id) const {
    const auto found = id ? by_id_.find(*id) : by_id_.end();
    return found == by_id_.end() ? nullptr : found->second;
  }

  /// Calls `keep(snapshot, place)` from `head` back, until it says no.
  template <typename Keep>
  void WalkBack(std::optional<SnapshotId> head, Keep keep) const {
    const Snapshot* snapshot = Find(head);
    // A chain can't be longer than the snapshots there are.
    for (size_t place = 0; snapshot != nullptr && place < by_id_.size(); ++place) {
      if (!keep(*snapshot, place)) return;
      snapshot = Find(snapshot->parent_snapshot_id);
    }
  }

 private:
  std::unordered_map<SnapshotId, const Snapshot*> by_id_;
};

bool IsExpiredRef(const Snapshots& snapshots, const std::string& name, const iceberg::SnapshotRef& ref,
                  int64_t now_ms) {
  const Snapshot* head = snapshots.Find(ref.snapshot_id);
  return name != iceberg::kMainRef && ref.max_ref_age_ms && head != nullptr &&
         now_ms - head->timestamp_ms > *ref.max_ref_age_ms;
}

void KeepProgress(const Snapshots& snapshots, std::optional<SnapshotId> current, std::set<SnapshotId>& kept) {
  std::set<SnapshotId> walked;
  snapshots.WalkBack(current, [&](const Snapshot& snapshot, size_t) {
    walked.insert(snapshot.snapshot_id);
    const bool is_firns = snapshot.summary.contains(pipeline::kLsnKey);
    if (is_firns) kept.merge(walked);
    return !is_firns;
  });
}

}  // namespace

Retention RetentionOf(const TableMetadata& metadata, Retention otherwise) {
  const bool has_own_age = NumberProperty(metadata, kMaxAgeProperty, int64_t{0}) > 0;
  return {
      .max_age_ms = NumberProperty(metadata, kMaxAgeProperty, otherwise.max_age_ms),
      .min_snapshots = NumberProperty(metadata, "history.expire.min-snapshots-to-keep", otherwise.min_snapshots),
      .max_snapshots = has_own_age ? 0 : otherwise.max_snapshots,
  };
}

Expired FindExpired(const TableMetadata& metadata, const Retention& retention, int64_t now_ms) {
  Expired expired;
  const Snapshots snapshots(metadata);
  std::set<SnapshotId> kept;
  std::set<SnapshotId> of_branches;
  if (metadata.current_snapshot_id) kept.insert(*metadata.current_snapshot_id);
  KeepProgress(snapshots, metadata.current_snapshot_id, kept);
  for (const auto& [name, ref] : metadata.refs) {
    if (IsExpiredRef(snapshots, name, ref, now_ms)) {
      expired.refs.push_back(name);
      continue;
    }
    kept.insert(ref.snapshot_id);
    if (!ref.is_branch) continue;
    const int64_t max_age_ms = ref.max_snapshot_age_ms.value_or(retention.max_age_ms);
    const auto least = static_cast<size_t>(ref.min_snapshots_to_keep.value_or(retention.min_snapshots));
    const bool is_limited = name == iceberg::kMainRef && retention.max_snapshots > 0 && !ref.max_snapshot_age_ms;
    const size_t most = is_limited ? static_cast<size_t>(retention.max_snapshots) : metadata.snapshots.size();
    snapshots.WalkBack(ref.snapshot_id, [&](const Snapshot& snapshot, size_t place) {
      of_branches.insert(snapshot.snapshot_id);
      const bool is_young = place < most && now_ms - snapshot.timestamp_ms <= max_age_ms;
      if (place < least || is_young) kept.insert(snapshot.snapshot_id);
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
