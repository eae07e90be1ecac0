#include "pipeline/table_contents.h"

#include <charconv>
#include <string>

namespace firn::pipeline {
namespace {

/// 0 where the summary, which others may have written, lacks it.
int64_t Total(const iceberg::Snapshot& snapshot, const char* key) {
  int64_t count = 0;
  if (auto position = snapshot.summary.find(key); position != snapshot.summary.end()) {
    std::from_chars(position->second.data(), position->second.data() + position->second.size(), count);
  }
  return count;
}

}  // namespace

std::optional<TableContents> ContentsOf(const iceberg::TableMetadata& metadata) {
  const iceberg::Snapshot* snapshot = metadata.CurrentSnapshot();
  if (snapshot == nullptr) return std::nullopt;
  // Each delete of firn is of one row, by place or by key.
  const int64_t deleted = Total(*snapshot, "total-position-deletes") + Total(*snapshot, "total-equality-deletes");
  return TableContents{.rows = Total(*snapshot, "total-records") - deleted,
                       .data_files = Total(*snapshot, "total-data-files"),
                       .delete_files = Total(*snapshot, "total-delete-files"),
                       .deleted_rows = deleted,
                       .bytes = Total(*snapshot, "total-files-size")};
}

void DescribeCopied(const TargetTable& target, TableStatus& status) {
  status.contents = ContentsOf(*target.table.metadata);
  if (target.progress) status.committed_lsn = ToString(target.progress->lsn);
  if (const iceberg::Snapshot* snapshot = target.table.metadata->CurrentSnapshot()) {
    status.snapshot_id = snapshot->snapshot_id;
    status.last_commit_ms = snapshot->timestamp_ms;
  }
}

}  // namespace firn::pipeline
