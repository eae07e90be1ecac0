// What the changes of a batch do to a table, by its change mode; the rest of TableWriter is in table_writer.cc.
#include <arrow/api.h>

#include <iterator>
#include <numeric>
#include <utility>

#include "base/try.h"
#include "iceberg/data_file_reader.h"
#include "iceberg/row_bytes.h"
#include "index/key_codec.h"
#include "pipeline/added_columns.h"
#include "pipeline/fold_history.h"
#include "pipeline/fold_soft_delete.h"
#include "pipeline/rewritten_rows.h"
#include "pipeline/standing_rows.h"
#include "pipeline/table_writer.h"
#include "pipeline/take_rows.h"
#include "pipeline/unchanged_values.h"

namespace firn::pipeline {
namespace {

/// Of a larger batch its live rows are not copied all at once.
constexpr size_t kTakenBytesMax = 4 * static_cast<size_t>(iceberg::kBatchBytes);

}  // namespace

Result<TableWriter::BatchKeys> TableWriter::EncodeBatchKeys(const TableBatch& batch) const {
  BatchKeys keys;
  if (layout_.identity == RowIdentity::kAppendOnly) return keys;
  if (batch.rows.batch) {
    TRY(keys.rows, index::EncodeKeys(*batch.rows.batch, layout_.key_columns));
  }
  if (batch.old_keys.batch) {
    std::vector<int> columns = layout_.key_columns;  // An append table's old rows are whole.
    if (layout_.mode != ChangeMode::kAppend) std::iota(columns.begin(), columns.end(), 0);
    TRY(keys.old, index::EncodeKeys(*batch.old_keys.batch, columns));
  }
  return keys;
}

FoldedBatch TableWriter::FoldChanges(const TableBatch& batch, ChangeRange range, const BatchKeys& keys) const {
  const bool with_previous = !batch.rows.unchanged.empty();
  switch (layout_.mode) {
    case ChangeMode::kSoftDelete:
      return FoldSoftDelete(batch, range, layout_.identity, keys.rows, keys.old, with_previous);
    case ChangeMode::kHistory:
      return FoldHistory(batch, range, layout_.identity, keys.rows, keys.old, with_previous);
    case ChangeMode::kMirror:
    case ChangeMode::kAppend:
      break;
  }
  FoldedBatch folded = Fold(batch.changes, layout_.identity, keys.rows, keys.old, with_previous);
  if (layout_.HasAddedColumns()) folded.facts = FactsOfRows(batch, folded.live_rows);
  return folded;
}

Status TableWriter::WriteChanges(const TableBatch& batch, ChangeRange range, const BatchKeys& keys) {
  if (range.first == range.end) return {};
  const FoldedBatch folded = FoldChanges(batch, range, keys);
  TRY(Positions removed, DeleteRemovedRows(folded));
  if (layout_.deletes == DeleteForm::kEquality) TRY_VOID(DeleteByKey(batch, folded, keys, removed));
  const auto location = [this](uint32_t file) { return ReadableFile(file); };
  IndexChanges changes;
  changes.reserve(folded.live_rows.size() + folded.removed_keys.size());
  EraseFromIndex(folded, removed, changes);

  TRY_VOID(ReadRewrittenRows(context_.store, layout_, folded.rewritten, removed, location,
                             [&](const std::shared_ptr<arrow::RecordBatch>& rows, std::span<const int32_t> rewritten) {
                               const KeyOfRow key_of = [&](size_t row) -> std::optional<std::string_view> {
                                 if (!FindsFallenRows()) return std::nullopt;
                                 return folded.removed_keys[folded.rewritten[rewritten[row]].removed];
                               };
                               return AppendRows(rows, key_of, changes);
                             }));
  if (!folded.live_rows.empty()) TRY_VOID(AppendLiveRows(batch, folded, keys, removed, changes));
  if (changes.empty()) return {};
  return index_->Apply(changes).Context("index of {}", name_);
}

Status TableWriter::AppendLiveRows(const TableBatch& batch, const FoldedBatch& folded, const BatchKeys& keys,
                                   const Positions& removed, IndexChanges& changes) {
  const auto key_of_live = [&](size_t live) -> std::optional<std::string_view> {
    if (!folded.facts.empty() && !Stands(folded.facts[live]) && !FindsFallenRows()) return std::nullopt;
    return keys.rows[static_cast<size_t>(folded.live_rows[live])];
  };
  const bool is_whole = std::ssize(folded.live_rows) == batch.rows.batch->num_rows();
  if (batch.rows.unchanged.empty() && (is_whole || batch.bytes <= kTakenBytesMax)) {
    TRY(auto rows, TakeRows(batch.rows.batch, folded.live_rows));
    TRY(rows, AddColumns(layout_, rows, folded.facts));
    return AppendRows(rows, key_of_live, changes);
  }
  UnchangedValues values(batch.rows);
  TRY_VOID(values.Find(folded, folded.live_rows, removed, [this](uint32_t file) { return ReadableFile(file); }));
  const auto append = [&](std::shared_ptr<arrow::RecordBatch> rows, std::span<const int32_t> which) -> Status {
    std::vector<RowFacts> facts;
    if (!folded.facts.empty()) {
      for (const int32_t live : which) facts.push_back(folded.facts[static_cast<size_t>(live)]);
    }
    TRY(rows, AddColumns(layout_, rows, facts));
    return AppendRows(rows, [&](size_t row) { return key_of_live(static_cast<size_t>(which[row])); }, changes);
  };
  return FillUnchangedValues(context_.store, layout_.schema, values, folded.live_rows, append);
}

void TableWriter::EraseFromIndex(const FoldedBatch& folded, const Positions& removed, IndexChanges& changes) const {
  if (layout_.identity == RowIdentity::kKey) {
    for (const std::string_view key : folded.vanished_keys) {
      changes.push_back({.key = key, .erase = index::RowPosition{}});
    }
    return;
  }
  for (size_t i = 0; i < removed.size(); ++i) {
    if (removed[i]) changes.push_back({.key = folded.removed_keys[i], .erase = removed[i]});
  }
}

Status TableWriter::FallAll(const RowFacts& facts) {
  RowFacts fallen_facts = facts;
  if (layout_.mode == ChangeMode::kSoftDelete) fallen_facts.deleted = true;
  if (layout_.mode == ChangeMode::kHistory) fallen_facts.valid_to_us = facts.committed_at_us;
  TRY_VOID(CloseDataFiles());
  std::vector<std::string> locations = files_.Locations();
  for (const iceberg::DataFile& file : files_.AddedFiles()) locations.push_back(file.file_path);
  // No row is to be found any more.
  if (index_ && !FindsFallenRows()) TRY_VOID(index_->Reset(pending_->commit_id));
  for (const std::string& location : locations) {
    TRY(const iceberg::RowPositions deleted, files_.Deleted(location));
    TRY(auto reader, iceberg::OpenDataFile(context_.store, *table_.metadata, files_.File(location), layout_.schema));
    uint64_t first_row = 0;
    while (true) {
      TRY(const auto batch, reader->Next().Context("reading {}", location));
      if (!batch) break;
      TRY(const std::vector<int64_t> standing, StandingRows(layout_, *batch));
      std::vector<int32_t> rows;
      for (const int64_t row : standing) {
        const uint64_t position = first_row + static_cast<uint64_t>(row);
        if (deleted.contains(position)) continue;
        TRY_VOID(files_.MarkDeleted(location, position));
        rows.push_back(static_cast<int32_t>(row));
      }
      first_row += static_cast<uint64_t>(batch->num_rows());
      TRY(const auto taken, TakeRows(batch, rows));
      TRY(const FallenRows fallen, Fall(layout_, taken, std::span(&fallen_facts, 1)));
      if (fallen.taken.empty()) continue;
      index::EncodedKeys keys;
      if (FindsFallenRows()) {
        TRY(keys, index::EncodeKeys(*fallen.rows, layout_.key_columns));
      }
      IndexChanges changes;
      const KeyOfRow key_of = [&](size_t row) { return FindsFallenRows() ? std::optional(keys[row]) : std::nullopt; };
      TRY_VOID(AppendRows(fallen.rows, key_of, changes));
      if (!changes.empty()) TRY_VOID(index_->Apply(changes).Context("index of {}", name_));
    }
  }
  return {};
}

}  // namespace firn::pipeline
