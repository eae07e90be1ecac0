#include "maintenance/table_maintenance.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/try.h"
#include "base/uuid.h"
#include "maintenance/file_rewriter.h"
#include "maintenance/rewrite_order.h"
#include "observe/log.h"

namespace firn::maintenance {
namespace {

constexpr int kPlansMax = 5;
/// Of a table whose rows are sorted. More would take more room for temporary files.
constexpr int64_t kSortedGroupFiles = 16;

FileCounts Count(const std::vector<iceberg::LiveDataFile>& files) {
  FileCounts counts;
  // One that applies to several data files is one; vectors that share a file are several.
  std::unordered_set<std::string> deletes;
  auto count_deletes = [&](const iceberg::SharedEntry& entry) {
    const iceberg::DataFile& file = entry->file;
    if (deletes.insert(fmt::format("{}@{}", file.file_path, file.content_offset.value_or(0))).second) {
      counts.bytes += file.content_size_in_bytes.value_or(file.file_size_in_bytes);
    }
  };
  for (const iceberg::LiveDataFile& file : files) {
    ++counts.data_files;
    counts.bytes += file.entry.file.file_size_in_bytes;
    for (const auto& entry : file.position_deletes) count_deletes(entry);
    for (const auto& entry : file.equality_deletes) count_deletes(entry);
  }
  counts.delete_files = static_cast<int64_t>(deletes.size());
  return counts;
}

/// The compaction of one table.
class Compaction {
 public:
  Compaction(const MaintenanceContext& context, const iceberg::TableIdent& ident, const RewriteLimits& limits,
             const pipeline::DataFileOptions& files, std::stop_token stop)
      : context_(context), ident_(ident), limits_(limits), files_(files), stop_(std::move(stop)) {}

  Result<CompactReport> Run() {
    for (int plan = 1;; ++plan) {
      const Status done = RunPlan();
      if (done) break;
      // Others rewrote files of the plan, or expired the snapshot that it was made on.
      const bool is_stale = done.error().kind() == ErrorKind::kConflict || done.error().kind() == ErrorKind::kNotFound;
      if (!is_stale || plan == kPlansMax) return done.error();
      LogInfo("planning a compaction anew", {{"table", ToString(ident_)}, {"reason", done.error().message()}});
    }
    TRY(table_, context_.catalog.LoadTable(ident_));
    TRY(const auto files, Plan());
    report_.after = Count(files);
    return report_;
  }

 private:
  Result<std::vector<iceberg::LiveDataFile>> Plan() {
    return iceberg::PlanFiles(context_.store, *table_.metadata, table_.metadata->CurrentSnapshot(), manifests_);
  }

  Status RunPlan() {
    TRY(table_, context_.catalog.LoadTable(ident_));
    const iceberg::TableMetadataPtr planned = table_.metadata;
    TRY(auto files, Plan());
    if (!std::exchange(counted_, true)) report_.before = Count(files);
    RewriteLimits limits = limits_;
    const iceberg::SortOrder* order = RewriteOrder(*planned);
    report_.sorted_by = Describe(order, *planned);
    if (order != nullptr) limits.group_files_max = kSortedGroupFiles;
    for (RewriteGroup& group : PlanRewrites(std::move(files), limits)) TRY_VOID(Rewrite(planned, std::move(group)));
    return {};
  }

  Status Rewrite(const iceberg::TableMetadataPtr& planned, RewriteGroup group) {
    pipeline::DataFileOptions options = files_;
    options.target_file_size_bytes = limits_.target_file_size_bytes;
    TRY(const RewrittenFiles rewritten, RewriteFiles(context_.store, context_.metrics, planned, std::move(group.files),
                                                     options, ToString(ident_), stop_));
    const std::string commit_id = NewUuid();
    const catalog::TableChange change =
        MakeRewriteChange(context_.store, manifests_, table_, rewritten, options.parquet.compression, commit_id);
    auto receipt =
        catalog::CommitChanges(context_.catalog, std::span(&change, 1), commit_id, Lsn{}, context_.retry, stop_);
    if (!receipt) {
      // What may still arrive at the catalog keeps its files.
      if (receipt.error().kind() == ErrorKind::kConflict) RemoveWritten(context_.store, rewritten);
      return std::move(receipt.error()).WithContext("committing a compaction");
    }
    table_ = receipt->tables().front();
    ++report_.groups;
    int64_t bytes = 0;
    for (const iceberg::DataFile& file : rewritten.to) bytes += file.file_size_in_bytes;
    report_.bytes_written += bytes;
    LogInfo("compacted files", {{"table", ToString(ident_)},
                                {"files_before", rewritten.from.size()},
                                {"files_after", rewritten.to.size()},
                                {"bytes_before", group.bytes},
                                {"bytes_after", bytes},
                                {"sorted_by", rewritten.sorted_by.empty() ? "nothing" : rewritten.sorted_by},
                                {"snapshot_id", table_.metadata->current_snapshot_id.value_or(0)}});
    return {};
  }

  const MaintenanceContext& context_;
  const iceberg::TableIdent& ident_;
  const RewriteLimits& limits_;
  const pipeline::DataFileOptions& files_;
  const std::stop_token stop_;
  catalog::LoadedTable table_;
  iceberg::ManifestCache manifests_;
  CompactReport report_;
  bool counted_ = false;
};

iceberg::CommitRequest ExpireRequest(const catalog::LoadedTable& table, const Expired& expired) {
  // As long as every ref stands where it did, nothing has begun to need what goes.
  iceberg::CommitRequest request{.table = table.ident,
                                 .requirements = {iceberg::AssertTableUuid{table.metadata->table_uuid}}};
  for (const auto& [name, ref] : table.metadata->refs) {
    request.requirements.emplace_back(iceberg::AssertRefSnapshotId{name, ref.snapshot_id});
  }
  for (const std::string& name : expired.refs) request.updates.emplace_back(iceberg::RemoveSnapshotRef{name});
  if (!expired.snapshots.empty()) request.updates.emplace_back(iceberg::RemoveSnapshots{expired.snapshots});
  return request;
}

}  // namespace

Result<CompactReport> CompactTable(const MaintenanceContext& context, const iceberg::TableIdent& ident,
                                   const RewriteLimits& limits, const pipeline::DataFileOptions& files,
                                   std::stop_token stop) {
  return Compaction(context, ident, limits, files, std::move(stop)).Run().Context("table {}", ToString(ident));
}

Result<ExpireReport> ExpireSnapshots(const MaintenanceContext& context, const iceberg::TableIdent& ident,
                                     const Retention& retention, int64_t now_ms, SnapshotFiles& kept,
                                     std::stop_token stop) {
  TRY(catalog::LoadedTable table, context.catalog.LoadTable(ident));
  const iceberg::TableMetadataPtr before = table.metadata;
  const auto build = [&](const catalog::LoadedTable& fresh) -> Result<std::optional<iceberg::CommitRequest>> {
    if (!MayDeleteFiles(*fresh.metadata)) {
      return MakeError(
          ErrorKind::kUnsupported,
          "the table's property gc.enabled is false: other tables may need its snapshots and files. Set it "
          "to true where none does");
    }
    const Expired expired = FindExpired(*fresh.metadata, RetentionOf(*fresh.metadata, retention), now_ms);
    if (expired.empty()) return std::nullopt;
    return ExpireRequest(fresh, expired);
  };
  TRY(const catalog::LoadedTable after,
      catalog::CommitMetadata(context.catalog, std::move(table), build, context.retry, stop)
          .Context("expiring snapshots of table {}", ToString(ident)));
  ExpireReport report;
  std::unordered_set<iceberg::SnapshotId> left;
  for (const iceberg::Snapshot& snapshot : after.metadata->snapshots) left.insert(snapshot.snapshot_id);
  report.snapshots = std::ranges::count_if(
      before->snapshots, [&](const iceberg::Snapshot& snapshot) { return !left.contains(snapshot.snapshot_id); });
  if (report.snapshots == 0) return report;
  TRY(const auto gone, FilesGone(context.store, *before, *after.metadata, kept));
  for (const std::string& location : gone) {
    TRY_VOID(context.store.Delete(location).Context("deleting what expired snapshots left"));
    ++report.files;
  }
  return report;
}

Status DeleteFiles(storage::FileStore& store, const std::vector<storage::FileInfo>& files, std::stop_token stop) {
  for (const storage::FileInfo& file : files) {
    if (stop.stop_requested()) return MakeError(ErrorKind::kCancelled, "stopped on request");
    TRY_VOID(store.Delete(file.location));
  }
  return {};
}

}  // namespace firn::maintenance
