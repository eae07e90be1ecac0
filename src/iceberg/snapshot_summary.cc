#include "iceberg/snapshot_summary.h"

#include <fmt/core.h>

#include <charconv>
#include <optional>

namespace firn::iceberg {
namespace {

std::optional<int64_t> Total(const Properties* previous, const char* key) {
  if (previous == nullptr) return 0;
  auto found = previous->find(key);
  if (found == previous->end()) return std::nullopt;
  int64_t value = 0;
  const std::string& text = found->second;
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

}  // namespace

void SnapshotSummary::Count(const DataFile& file, Counts& counts) {
  changed_partitions_.insert(PartitionKey(file.partition_spec_id, file.partition));
  // Of a deletion vector, only its blob: the Puffin file may hold those of many data files.
  counts.files_size += IsDeletionVector(file) ? file.content_size_in_bytes.value_or(0) : file.file_size_in_bytes;
  switch (file.content) {
    case FileContent::kData:
      ++counts.data_files;
      counts.records += file.record_count;
      return;
    case FileContent::kPositionDeletes:
      ++counts.delete_files;
      ++(IsDeletionVector(file) ? counts.deletion_vectors : counts.position_delete_files);
      counts.position_deletes += file.record_count;
      return;
    case FileContent::kEqualityDeletes:
      ++counts.delete_files;
      ++counts.equality_delete_files;
      counts.equality_deletes += file.record_count;
      return;
  }
}

std::string SnapshotSummary::Operation() const {
  const bool adds_rows = added_.data_files > 0;
  const bool removes_rows = added_.delete_files > 0 || removed_.data_files > 0 || removed_.delete_files > 0;
  if (!removes_rows) return "append";
  return adds_rows ? "overwrite" : "delete";
}

Properties SnapshotSummary::Build(const Properties* previous) const {
  Properties summary;
  const auto put_if_any = [&summary](const char* key, int64_t count) {
    if (count > 0) summary[key] = fmt::format("{}", count);
  };
  put_if_any("added-data-files", added_.data_files);
  put_if_any("deleted-data-files", removed_.data_files);
  put_if_any("added-delete-files", added_.delete_files);
  put_if_any("removed-delete-files", removed_.delete_files);
  put_if_any("added-position-delete-files", added_.position_delete_files);
  put_if_any("removed-position-delete-files", removed_.position_delete_files);
  put_if_any("added-dvs", added_.deletion_vectors);
  put_if_any("removed-dvs", removed_.deletion_vectors);
  put_if_any("added-equality-delete-files", added_.equality_delete_files);
  put_if_any("removed-equality-delete-files", removed_.equality_delete_files);
  put_if_any("added-records", added_.records);
  put_if_any("deleted-records", removed_.records);
  put_if_any("added-files-size", added_.files_size);
  put_if_any("removed-files-size", removed_.files_size);
  put_if_any("added-position-deletes", added_.position_deletes);
  put_if_any("removed-position-deletes", removed_.position_deletes);
  put_if_any("added-equality-deletes", added_.equality_deletes);
  put_if_any("removed-equality-deletes", removed_.equality_deletes);
  summary["changed-partition-count"] = fmt::format("{}", changed_partitions_.size());

  const auto put_total = [&](const char* key, int64_t Counts::* count) {
    const auto before = Total(previous, key);
    if (!before) return;
    const int64_t after = *before + added_.*count - removed_.*count;
    if (after >= 0) summary[key] = fmt::format("{}", after);
  };
  put_total("total-records", &Counts::records);
  put_total("total-files-size", &Counts::files_size);
  put_total("total-data-files", &Counts::data_files);
  put_total("total-delete-files", &Counts::delete_files);
  put_total("total-position-deletes", &Counts::position_deletes);
  put_total("total-equality-deletes", &Counts::equality_deletes);
  return summary;
}

}  // namespace firn::iceberg
