#include "pipeline/copy_commit.h"

#include <utility>

#include "base/try.h"
#include "base/unix_time.h"
#include "pipeline/parked_tables.h"

namespace firn::pipeline {
namespace {

/// With the copied rows nothing is missing any more.
void TakeMarkAway(const iceberg::TableMetadata& table, iceberg::CommitRequest& request) {
  if (ReadMark(table)) request.updates.emplace_back(iceberg::RemoveProperties{{kParkedProperty}});
}

Result<iceberg::CommitRequest> BuildCopy(storage::FileStore& store, const TargetTable& target,
                                         const catalog::LoadedTable& fresh, iceberg::RowDelta delta) {
  TRY_VOID(CheckOnlyWriter(*target.table.metadata, *fresh.metadata));
  const int64_t now_ms = UnixMillisNow();
  iceberg::ManifestCache manifests;
  // A log of changes goes on with what the rows are now.
  delta.truncate = fresh.metadata->CurrentSnapshot() != nullptr && target.settings.mode != ChangeMode::kAppend;
  if (!target.change) {
    TRY(auto rows, iceberg::BuildRowDelta(store, target.table.ident, *fresh.metadata, delta, manifests, now_ms));
    TakeMarkAway(*fresh.metadata, rows);
    StateProgress(delta.summary, rows);
    return rows;
  }
  TRY_VOID(CheckPlannedOn(*target.table.metadata, *fresh.metadata));
  iceberg::CommitRequest request = SchemaChangeRequest(*target.change, target.table.ident, *fresh.metadata);
  TRY(const auto changed, iceberg::ApplyUpdates(*fresh.metadata, "", request.updates, now_ms));
  TRY(auto rows, iceberg::BuildRowDelta(store, target.table.ident, changed, delta, manifests, now_ms));
  std::ranges::move(rows.requirements, std::back_inserter(request.requirements));
  std::ranges::move(rows.updates, std::back_inserter(request.updates));
  TakeMarkAway(*fresh.metadata, request);
  StateProgress(delta.summary, request);
  return request;
}

}  // namespace

catalog::TableChange MakeCopyChange(storage::FileStore& store, const PipelineIdentity& writer,
                                    const TargetTable& target, iceberg::RowDelta rows, Lsn lsn,
                                    const std::string& commit_id) {
  rows.summary = ProgressSummary(writer, lsn, commit_id);
  catalog::TableChange change{.base = target.table};
  change.build = [&store, &target, delta = std::move(rows)](const catalog::LoadedTable& fresh) {
    return BuildCopy(store, target, fresh, delta).Context("table {}", ToString(target.table.ident));
  };
  change.discard = [&store](const catalog::LoadedTable& base, const iceberg::CommitRequest& lost) {
    iceberg::RemoveBuilt(store, *base.metadata, lost);
  };
  return change;
}

}  // namespace firn::pipeline
