#include "pipeline/table_writer.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "base/try.h"
#include "base/unix_time.h"
#include "iceberg/data_file_reader.h"
#include "index/key_codec.h"
#include "observe/log.h"
#include "pipeline/replaced_values.h"
#include "pipeline/standing_rows.h"

namespace firn::pipeline {
namespace {

using Clock = std::chrono::steady_clock;

/// Entries sorted and loaded in one run: about 64 MB of them.
constexpr size_t kIndexRunEntries = 2'000'000;

}  // namespace

std::string IndexNameOf(const iceberg::TableMetadata& table, const TableLayout& layout) {
  std::string name = table.table_uuid;
  for (const int column : layout.key_columns) {
    const iceberg::Field& field = layout.schema.fields[static_cast<size_t>(column)];
    name += fmt::format(" {}:{}", field.id, ToString(field.type));
  }
  return name;
}

TableWriter::TableWriter(WriterContext context, TableWriterOptions options, catalog::LoadedTable table,
                         TableLayout layout, std::string name)
    : context_(context),
      options_(std::move(options)),
      table_(std::move(table)),
      layout_(std::move(layout)),
      name_(std::move(name)),
      files_(context.store, options_.small_deletes, options_.files.files_at_once) {}

std::string TableWriter::NextName(std::string_view ending) {
  return fmt::format("{}-{:05}{}", pending_->commit_id, pending_->files_named++, ending);
}

Status TableWriter::Begin(const std::string& commit_id) {
  if (pending_) return {};
  if (!files_.loaded() && layout_.deletes == DeleteForm::kEquality) {
    files_.LoadNothing();
  } else if (!files_.loaded()) {
    TRY_VOID(files_.Load(table_.metadata, manifests_));
  }
  pending_.emplace(Pending{.commit_id = commit_id});
  return {};
}

Status TableWriter::Write(const std::string& commit_id, const TableBatch& batch) {
  TRY_VOID(Begin(commit_id));
  if (batch.truncate_first) TRY_VOID(Truncate());
  if (batch.changes.empty()) return {};
  ReportReplacedValues(context_.metrics, name_, batch.rows.replaced);
  if (layout_.mode == ChangeMode::kAppend) return AppendChanges(commit_id, batch);
  if (layout_.identity != RowIdentity::kAppendOnly) TRY_VOID(EnsureIndex(commit_id));
  TRY(const BatchKeys keys, EncodeBatchKeys(batch));
  // Where rows outlive a TRUNCATE, it is one of the changes and parts them.
  ChangeRange range;
  TransactionCursor transactions(batch);
  for (const Change& change : batch.changes) {
    if (change.kind == ChangeKind::kTruncate) {
      TRY_VOID(WriteChanges(batch, range, keys));
      TRY_VOID(FallAll(FactsOf(RowOperation::kTruncate, transactions.Of(range.end))));
      range.first = range.end + 1;
    }
    ++range.end;
  }
  return WriteChanges(batch, range, keys);
}

Status TableWriter::Truncate() {
  pending_->data_files.reset();
  pending_->key_deletes.reset();
  files_.Truncate();
  pending_->truncate = true;
  pending_->rows = 0;
  if (layout_.identity == RowIdentity::kAppendOnly) return {};
  TRY_VOID(OpenIndex());
  TRY_VOID(index_->Reset(IndexCommitId(pending_->commit_id)));
  index_ready_ = true;
  return {};
}

Result<TableWriter::Positions> TableWriter::DeleteRemovedRows(const FoldedBatch& folded) {
  if (folded.removed_keys.empty()) return Positions{};
  TRY(Positions positions, index_->Lookup(folded.removed_keys));
  int64_t missing = 0;
  std::unordered_map<uint32_t, std::string> locations;
  for (size_t i = 0; i < positions.size(); ++i) {
    const auto& position = positions[i];
    if (!position) {
      const bool may_be_absent = !folded.maybe_absent.empty() && folded.maybe_absent[i];
      if (!may_be_absent) ++missing;
      continue;
    }
    std::string& location = locations[position->file];
    if (location.empty()) {
      TRY(location, index_->FileLocation(position->file));
    }
    if (Status marked = files_.MarkDeleted(location, position->row); !marked) return DistrustIndex(marked.error());
  }
  if (missing > 0 && options_.expects_rows && layout_.deletes == DeleteForm::kPosition) {
    LogWarn(
        "rows to update or delete are not in the Iceberg table: somebody else may have removed them there; firn verify "
        "tells whether it still is as in PostgreSQL",
        {{"table", name_}, {"rows", missing}});
  }
  return positions;
}

Status TableWriter::AppendRows(const std::shared_ptr<arrow::RecordBatch>& rows, const KeyOfRow& key_of,
                               IndexChanges& changes) {
  if (!pending_->data_files) {
    TRY(pending_->data_files, PartitionedWriter::Make(context_.store, context_.metrics, table_.metadata, layout_.schema,
                                                      options_.files, name_, [this] { return NextName(".parquet"); }));
  }
  TRY(const auto placed, pending_->data_files->Write(rows));
  for (const PlacedRows& part : placed) {
    if (part.is_new_file) files_.Add(part.location);
  }
  TakeClosedFiles();
  pending_->rows += rows->num_rows();
  if (!index_ready_) return {};
  for (const PlacedRows& part : placed) {
    TRY(const uint32_t file, index_->AddFile(part.location));
    index::RowPosition position{.file = file, .row = static_cast<uint32_t>(part.first_position)};
    for (const int32_t row : part.rows) {
      if (const auto key = key_of(static_cast<size_t>(row))) changes.push_back({.key = *key, .put = position});
      ++position.row;
    }
  }
  return {};
}

Status TableWriter::CloseDataFiles() {
  if (!pending_->data_files) return {};
  TRY_VOID(pending_->data_files->CloseAll());
  TakeClosedFiles();
  return {};
}

void TableWriter::TakeClosedFiles() {
  for (iceberg::DataFile& file : pending_->data_files->TakeClosed()) files_.Close(std::move(file));
}

Result<std::string> TableWriter::ReadableFile(uint32_t number) {
  TRY(std::string location, index_->FileLocation(number));
  if (pending_->data_files) {
    TRY_VOID(pending_->data_files->CloseFile(location));
    TakeClosedFiles();
  }
  return location;
}

Status TableWriter::OpenIndex() {
  if (index_) return {};
  const auto kind = layout_.identity == RowIdentity::kWholeRow ? index::KeyKind::kDuplicates : index::KeyKind::kUnique;
  TRY(index_, context_.index.OpenTable(IndexNameOf(*table_.metadata, layout_), kind));
  return {};
}

Status TableWriter::EnsureIndex(const std::string& commit_id) {
  TRY_VOID(OpenIndex());
  if (layout_.deletes == DeleteForm::kEquality) {
    if (!std::exchange(index_ready_, true)) TRY_VOID(index_->Reset(IndexCommitId(commit_id)));
    return {};
  }
  if (!index_ready_) {
    const iceberg::Snapshot* snapshot = table_.metadata->CurrentSnapshot();
    const iceberg::Snapshot* indexed = IndexedSnapshot(index_->state());
    // The process that wrote these changes died before it could say so: its commit got in.
    if (indexed != nullptr && index_->state().changing_commit_id) TRY_VOID(index_->Complete(indexed->snapshot_id));
    bool is_up_to_date = indexed == snapshot;
    if (indexed != nullptr && !is_up_to_date) {
      TRY(is_up_to_date, FollowMovedRows(*indexed, *snapshot, snapshot->snapshot_id).Context("the index of {}", name_));
    }
    if (snapshot == nullptr) {
      TRY_VOID(index_->Reset(commit_id));
    } else if (!is_up_to_date) {
      TRY_VOID(RebuildIndex(commit_id).Context("rebuilding the index of {}", name_));
    }
    index_ready_ = true;
  }
  return index_->Begin(commit_id);
}

std::string TableWriter::IndexCommitId(const std::string& commit_id) const {
  // An index of one commit's rows must never pass for that of the table: its id is that of no snapshot.
  return layout_.deletes == DeleteForm::kEquality ? "rows of " + commit_id : commit_id;
}

iceberg::Schema TableWriter::KeyProjection() const {
  iceberg::Schema projection{.schema_id = layout_.schema.schema_id};
  for (const int column : layout_.key_columns) {
    projection.fields.push_back(layout_.schema.fields[column]);
    projection.fields.back().required = false;  // Keys are encoded alike for every batch: nullable throughout.
  }
  return projection;
}

Status TableWriter::RebuildIndex(const std::string& commit_id) {
  const auto start = Clock::now();
  TRY_VOID(index_->Reset(commit_id));
  if (layout_.mode == ChangeMode::kAppend) {
    TRY_VOID(IndexLatestRows());
    return index_->Complete(table_.metadata->CurrentSnapshot()->snapshot_id);
  }
  IndexRun run = LoadedRun();
  for (const std::string& location : files_.Locations()) {
    TRY(const iceberg::RowPositions deleted, files_.Deleted(location));
    TRY_VOID(AddToRun(files_.File(location), deleted, run));
  }
  TRY_VOID(TakeRun(run));
  TRY_VOID(index_->Complete(table_.metadata->CurrentSnapshot()->snapshot_id));
  LogInfo("built the index from the table",
          {{"table", name_},
           {"rows", run.rows},
           {"duration_ms", std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count()}});
  return {};
}

TableWriter::IndexRun TableWriter::LoadedRun() {
  return {.take = [this](std::vector<index::TableIndex::Entry> entries) { return index_->Load(std::move(entries)); }};
}

Status TableWriter::AddToRun(const iceberg::DataFile& file, const iceberg::RowPositions& deleted, IndexRun& run) {
  iceberg::Schema projection = KeyProjection();
  std::vector<int> columns(projection.fields.size());
  std::iota(columns.begin(), columns.end(), 0);
  if (!FindsFallenRows()) ProjectStanding(layout_, projection);
  const bool has_deletes = !deleted.isEmpty();
  TRY(const uint32_t number, index_->AddFile(file.file_path));
  TRY(auto reader, iceberg::OpenDataFile(context_.store, *table_.metadata, file, projection));
  uint32_t first_row = 0;
  while (true) {
    TRY(const auto batch, reader->Next().Context("reading {}", file.file_path));
    if (!batch) return {};
    TRY(auto keys, index::EncodeKeys(*batch, columns));
    run.keys.push_back(std::make_unique<index::EncodedKeys>(std::move(keys)));
    TRY(const std::vector<int64_t> found, FindsFallenRows() ? AllRows(*batch) : StandingRows(layout_, *batch));
    for (const int64_t i : found) {
      const uint32_t row = first_row + static_cast<uint32_t>(i);
      if (has_deletes && deleted.contains(uint64_t{row})) continue;
      run.entries.push_back({.key = (*run.keys.back())[i], .position = {.file = number, .row = row}});
    }
    first_row += static_cast<uint32_t>(batch->num_rows());
    if (run.entries.size() >= kIndexRunEntries) TRY_VOID(TakeRun(run));
  }
}

Status TableWriter::TakeRun(IndexRun& run) {
  run.rows += static_cast<int64_t>(run.entries.size());
  if (!run.entries.empty()) TRY_VOID(run.take(std::exchange(run.entries, {})));
  run.keys.clear();
  return {};
}

Error TableWriter::DistrustIndex(const Error& why) {
  // An index of no commit: the next start finds that it fits no snapshot and builds it from the table.
  if (index_) (void)index_->Reset("");
  return why;
}

Result<catalog::TableChange> TableWriter::Prepare(Lsn lsn) {
  TRY_VOID(CloseDataFiles());
  TRY(pending_->delta,
      files_.MakeDelta(
          table_.metadata->format_version,
          [this](std::string_view ending) { return iceberg::DataLocation(*table_.metadata, NextName(ending)); },
          options_.files.parquet.compression));
  if (pending_->key_deletes) {
    const auto spec_id = iceberg::FindUnpartitionedSpec(*table_.metadata);
    if (!spec_id) return MakeError(ErrorKind::kInternal, "table {} has no spec for equality deletes", name_);
    TRY(auto deletes, pending_->key_deletes->Close(*spec_id));
    std::ranges::move(deletes, std::back_inserter(pending_->delta.added_delete_files));
  }
  if (index_ready_ && layout_.deletes == DeleteForm::kPosition) TRY_VOID(index_->MarkWhole());
  pending_->delta.truncate = pending_->truncate;
  pending_->delta.summary = ProgressSummary(options_.writer, lsn, pending_->commit_id);
  catalog::TableChange change{.base = table_,
                              .build = [this](const catalog::LoadedTable& fresh) -> Result<iceberg::CommitRequest> {
                                TRY_VOID(CheckOnlyWriter(*table_.metadata, *fresh.metadata).Context("table {}", name_));
                                auto request = BuildOn(*fresh.metadata);
                                if (!request && request.error().kind() == ErrorKind::kConflict)
                                  return DistrustIndex(request.error());
                                return request;
                              }};
  change.discard = [this](const catalog::LoadedTable& base, const iceberg::CommitRequest& lost) {
    iceberg::RemoveBuilt(context_.store, *base.metadata, lost);
  };
  return change;
}

Result<iceberg::CommitRequest> TableWriter::BuildOn(const iceberg::TableMetadata& fresh) {
  if (fresh.format_version != table_.metadata->format_version) {
    return MakeError(ErrorKind::kConflict,
                     "another writer upgraded the table to format version {}; set destination.format_version to it",
                     fresh.format_version);
  }
  if (fresh.current_snapshot_id != table_.metadata->current_snapshot_id && !pending_->truncate) {
    TRY_VOID(files_.CheckStillLive(fresh, manifests_));
  }
  TRY(auto request,
      iceberg::BuildRowDelta(context_.store, table_.ident, fresh, pending_->delta, manifests_, UnixMillisNow()));
  StateProgress(pending_->delta.summary, request);
  return request;
}

Status TableWriter::Committed(const catalog::LoadedTable& table) {
  const iceberg::TableMetadataPtr before = table_.metadata;
  const iceberg::Snapshot* after = table.metadata->CurrentSnapshot();
  const bool others_committed = after->parent_snapshot_id != before->current_snapshot_id;
  const bool is_truncated = pending_->truncate;
  table_ = table;
  files_.Committed();
  pending_.reset();
  if (layout_.deletes == DeleteForm::kEquality) {
    files_.Forget();
    index_ready_ = false;
  } else if (others_committed) {
    // Rows may lie elsewhere now: look at the table again before the next batch.
    files_.Forget();
    if (index_ready_) TRY_VOID(FollowOthers(*before, is_truncated));
  } else if (index_ready_) {
    TRY_VOID(index_->Complete(after->snapshot_id));
  }
  return {};
}

}  // namespace firn::pipeline
