// Rows that were moved to other files, by firn's own rewrites or by other writers': the index follows. The rest of
// TableWriter is in table_writer.cc.
//
//   files before ─┬─ in both: their rows lie where they did
//                 ├─ gone: as many live rows as in the new ones, or something else has happened
//   files after ──┴─ new: the key columns of these are read, and their rows have their places there
//
// An index that was being brought up to the rewrite when its process died belongs to no snapshot, and is built anew.
#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/try.h"
#include "observe/log.h"
#include "pipeline/table_writer.h"

namespace firn::pipeline {
namespace {

using Clock = std::chrono::steady_clock;

/// What the spec calls a rewrite: the same rows in other files.
constexpr char kReplace[] = "replace";
/// The id of no snapshot.
constexpr int64_t kNoSnapshot = -1;

bool IsReplace(const iceberg::Snapshot& snapshot) {
  const auto operation = snapshot.summary.find("operation");
  return operation != snapshot.summary.end() && operation->second == kReplace;
}

}  // namespace

/// Data files that one snapshot has and another lacks, with their deleted rows.
struct TableWriter::LiveRowsOfFiles {
  std::vector<iceberg::LiveDataFile> files;
  std::vector<iceberg::RowPositions> deleted;
  int64_t rows = 0;

  static Result<LiveRowsOfFiles> Beyond(storage::FileStore& store, const iceberg::TableMetadata& metadata,
                                        std::vector<iceberg::LiveDataFile> files,
                                        const std::vector<iceberg::LiveDataFile>& others);
};

Result<TableWriter::LiveRowsOfFiles> TableWriter::LiveRowsOfFiles::Beyond(
    storage::FileStore& store, const iceberg::TableMetadata& metadata, std::vector<iceberg::LiveDataFile> files,
    const std::vector<iceberg::LiveDataFile>& others) {
  std::unordered_set<std::string_view> known;
  for (const iceberg::LiveDataFile& file : others) known.insert(file.entry.file.file_path);
  std::erase_if(files, [&](const iceberg::LiveDataFile& file) { return known.contains(file.entry.file.file_path); });
  LiveRowsOfFiles beyond{.files = std::move(files)};
  iceberg::DeletedRows deleted_rows(store);
  for (const iceberg::LiveDataFile& file : beyond.files) {
    TRY(beyond.deleted.emplace_back(), deleted_rows.Of(metadata, file));
    beyond.rows += file.entry.file.record_count - static_cast<int64_t>(beyond.deleted.back().cardinality());
  }
  return beyond;
}

catalog::TableChange TableWriter::PrepareRewrite(TableRewrite& rewrite, const std::string& commit_id) {
  assert(!pending_);
  catalog::TableChange change = rewrite.MakeChange(table_, manifests_, commit_id);
  change.build =
      [this, build = std::move(change.build)](const catalog::LoadedTable& fresh) -> Result<iceberg::CommitRequest> {
    TRY_VOID(CheckOnlyWriter(*table_.metadata, *fresh.metadata).Context("table {}", name_));
    return build(fresh);
  };
  return change;
}

Status TableWriter::Rewritten(const catalog::LoadedTable& table) {
  const iceberg::TableMetadataPtr before = table_.metadata;
  table_ = table;
  files_.Forget();
  // An index that is not in use yet follows when it is.
  if (!std::exchange(index_ready_, false)) return {};
  const iceberg::Snapshot* from = before->CurrentSnapshot();
  const iceberg::Snapshot& to = *table_.metadata->CurrentSnapshot();
  if (from != nullptr && OnlyMovesRows(*from, to)) {
    TRY(index_ready_, FollowMovedRows(*from, to, to.snapshot_id).Context("the index of {}", name_));
  }
  return index_ready_ ? Status{} : index_->Reset("");
}

Status TableWriter::FollowOthers(const iceberg::TableMetadata& before, bool is_truncated) {
  const iceberg::Snapshot* from = before.CurrentSnapshot();
  const iceberg::Snapshot& after = *table_.metadata->CurrentSnapshot();
  const iceberg::Snapshot* to =
      after.parent_snapshot_id ? table_.metadata->FindSnapshot(*after.parent_snapshot_id) : nullptr;
  // Until it has followed, the index is that of no snapshot, whenever the process ends.
  TRY_VOID(index_->Complete(kNoSnapshot));
  index_ready_ = false;
  if (!is_truncated && from != nullptr && to != nullptr && OnlyMovesRows(*from, *to)) {
    TRY(index_ready_, FollowMovedRows(*from, *to, after.snapshot_id).Context("the index of {}", name_));
  }
  return index_ready_ ? Status{} : index_->Reset("");
}

bool TableWriter::OnlyMovesRows(const iceberg::Snapshot& from, const iceberg::Snapshot& to) const {
  const iceberg::Snapshot* snapshot = &to;
  while (snapshot != nullptr && snapshot->snapshot_id != from.snapshot_id) {
    if (!IsReplace(*snapshot) || !snapshot->parent_snapshot_id) return false;
    if (snapshot->parent_snapshot_id == from.snapshot_id) return true;
    snapshot = table_.metadata->FindSnapshot(*snapshot->parent_snapshot_id);
  }
  return snapshot != nullptr;
}

const iceberg::Snapshot* TableWriter::IndexedSnapshot(const index::IndexState& state) const {
  const iceberg::Snapshot* snapshot = table_.metadata->CurrentSnapshot();
  while (snapshot != nullptr) {
    const auto id = snapshot->summary.find(catalog::kCommitIdKey);
    const bool is_committed = state.is_whole && id != snapshot->summary.end() && id->second == state.changing_commit_id;
    if (is_committed || state.snapshot_id == snapshot->snapshot_id) return snapshot;
    if (!IsReplace(*snapshot) || !snapshot->parent_snapshot_id) return nullptr;
    snapshot = table_.metadata->FindSnapshot(*snapshot->parent_snapshot_id);
  }
  return nullptr;
}

Result<bool> TableWriter::FollowMovedRows(const iceberg::Snapshot& from, const iceberg::Snapshot& to,
                                          int64_t clean_at) {
  auto followed = FollowByFiles(from, to, clean_at);
  if (followed.has_value() || followed.error().kind() != ErrorKind::kNotFound) return followed;
  LogWarn("files of a rewrite are gone, as after another writer's expiry: building the index anew",
          {{"table", name_}, {"snapshot_id", to.snapshot_id}, {"reason", followed.error().message()}});
  return false;
}

Result<bool> TableWriter::FollowByFiles(const iceberg::Snapshot& from, const iceberg::Snapshot& to, int64_t clean_at) {
  const auto start = Clock::now();
  const iceberg::TableMetadata& metadata = *table_.metadata;
  TRY(const auto before, iceberg::PlanFiles(context_.store, metadata, &from, manifests_));
  TRY(const auto after, iceberg::PlanFiles(context_.store, metadata, &to, manifests_));
  TRY(const auto gone, LiveRowsOfFiles::Beyond(context_.store, metadata, before, after));
  TRY(const auto come, LiveRowsOfFiles::Beyond(context_.store, metadata, after, before));
  if (gone.rows != come.rows) {
    LogWarn("a rewrite of files has not kept the rows: building the index anew",
            {{"table", name_}, {"snapshot_id", to.snapshot_id}, {"rows_gone", gone.rows}, {"rows_come", come.rows}});
    return false;
  }

  // No snapshot has this commit id.
  TRY_VOID(index_->Begin(fmt::format("rows moved to snapshot {}", to.snapshot_id)));
  int64_t rows = 0;
  if (layout_.mode == ChangeMode::kAppend) {
    TRY(rows, FollowLatestRows(gone, come));
  } else {
    TRY(rows, FollowEachRow(gone, come));
  }
  TRY_VOID(index_->Complete(clean_at));
  LogInfo("found moved rows in their new files",
          {{"table", name_},
           {"snapshot_id", to.snapshot_id},
           {"files_before", gone.files.size()},
           {"files_after", come.files.size()},
           {"rows", rows},
           {"duration_ms", std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count()}});
  return true;
}

Result<int64_t> TableWriter::FollowEachRow(const LiveRowsOfFiles& gone, const LiveRowsOfFiles& come) {
  if (layout_.identity == RowIdentity::kWholeRow) {
    IndexRun erased{.take = [this](const std::vector<index::TableIndex::Entry>& entries) {
      IndexChanges changes;
      for (const auto& entry : entries) changes.push_back({.key = entry.key, .erase = entry.position});
      return index_->Apply(changes);
    }};
    for (size_t i = 0; i < gone.files.size(); ++i) {
      TRY_VOID(AddToRun(gone.files[i].entry.file, gone.deleted[i], erased));
    }
    TRY_VOID(TakeRun(erased));
  }
  IndexRun put = LoadedRun();
  for (size_t i = 0; i < come.files.size(); ++i) {
    TRY_VOID(AddToRun(come.files[i].entry.file, come.deleted[i], put));
  }
  TRY_VOID(TakeRun(put));
  return put.rows;
}

Result<int64_t> TableWriter::FollowLatestRows(const LiveRowsOfFiles& gone, const LiveRowsOfFiles& come) {
  std::set<uint32_t> moved_from;
  for (const iceberg::LiveDataFile& file : gone.files) {
    TRY(const uint32_t number, index_->AddFile(file.entry.file.file_path));
    moved_from.insert(number);
  }
  std::vector<WrittenFile> files;
  std::unordered_map<std::string_view, const iceberg::RowPositions*> deleted;
  for (size_t i = 0; i < come.files.size(); ++i) {
    const iceberg::ManifestEntry& entry = come.files[i].entry;
    files.push_back({.file = entry.file, .sequence_number = entry.sequence_number});
    deleted.emplace(entry.file.file_path, &come.deleted[i]);
  }
  const auto deleted_of = [&](const std::string& location) -> Result<iceberg::RowPositions> {
    return *deleted.at(location);
  };
  return PutLatestRows(std::move(files), deleted_of, &moved_from);
}

}  // namespace firn::pipeline
