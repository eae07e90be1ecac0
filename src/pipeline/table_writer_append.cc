// Append mode: each change is a row. The rest of TableWriter is in table_writer.cc.
//
// No row is ever looked for, but for values that an UPDATE left as they were and PostgreSQL didn't send again: they are
// in the key's latest row. So the index comes into being with the first such value, and from then on follows.
#include <arrow/api.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>

#include "base/try.h"
#include "iceberg/data_file_reader.h"
#include "iceberg/table_files.h"
#include "index/key_codec.h"
#include "observe/log.h"
#include "pipeline/change_rows.h"
#include "pipeline/own_columns.h"
#include "pipeline/table_writer.h"
#include "pipeline/unchanged_values.h"
#include "pipeline/write_order.h"

namespace firn::pipeline {
namespace {

/// A row of files whose rows come in an order that only their LSNs tell.
struct Candidate {
  std::string key;
  int64_t lsn = 0;
  const iceberg::DataFile* file = nullptr;
  index::RowPosition position;

  bool SamePartition(const Candidate& other) const {
    return file->partition_spec_id == other.file->partition_spec_id && file->partition == other.file->partition;
  }
};

/// What the index is to learn: the latest row of each key. A key with rows of one transaction in several partitions has
/// none that could be told: should its value be asked for, that is an error, and never another row's value. The changes
/// look into the candidates.
std::vector<index::TableIndex::Change> LatestOf(std::vector<Candidate>& candidates) {
  std::ranges::stable_sort(candidates, {},
                           [](const Candidate& row) { return std::tuple(std::string_view(row.key), row.lsn); });
  std::vector<index::TableIndex::Change> changes;
  for (size_t begin = 0, end = 0; begin < candidates.size(); begin = end) {
    while (end < candidates.size() && candidates[end].key == candidates[begin].key) ++end;
    const Candidate& last = candidates[end - 1];
    bool is_certain = true;
    for (size_t i = end - 1; i > begin && candidates[i - 1].lsn == last.lsn; --i) {
      is_certain = is_certain && candidates[i - 1].SamePartition(last);
    }
    changes.push_back(is_certain ? index::TableIndex::Change{.key = last.key, .put = last.position}
                                 : index::TableIndex::Change{.key = last.key, .erase = index::RowPosition{}});
  }
  return changes;
}

}  // namespace

Status TableWriter::AppendChanges(const std::string& commit_id, const TableBatch& batch) {
  const bool has_unchanged = !batch.rows.unchanged.empty();
  BatchKeys keys;
  FoldedBatch latest;
  std::shared_ptr<arrow::RecordBatch> rows = batch.rows.batch;
  if (index_ready_ || has_unchanged) {
    TRY_VOID(EnsureLatestRows(commit_id));
    TRY(keys, EncodeBatchKeys(batch));
    TRY(rows, FillFromLatestRows(batch, keys, latest));
  }
  TRY(const auto change_rows, MakeChangeRows(layout_, batch, rows));
  IndexChanges changes;
  EraseFromIndex(latest, {}, changes);
  const KeyOfRow key_of = [&](size_t change) -> std::optional<std::string_view> {
    const int32_t row = batch.changes[change].row;
    if (row < 0 || !std::ranges::binary_search(latest.live_rows, row)) return std::nullopt;
    return keys.rows[static_cast<size_t>(row)];
  };
  TRY_VOID(AppendRows(change_rows, key_of, changes));
  if (changes.empty()) return {};
  return index_->Apply(changes).Context("index of {}", name_);
}

Status TableWriter::EnsureLatestRows(const std::string& commit_id) {
  if (index_ready_ || pending_->rows == 0) return EnsureIndex(commit_id);
  // Rows of the commit in the making are not in the index, however it stands to the table.
  TRY_VOID(CloseDataFiles());
  TRY_VOID(OpenIndex());
  TRY_VOID(index_->Reset(commit_id));
  TRY_VOID(IndexLatestRows());
  index_ready_ = true;
  return {};
}

Status TableWriter::IndexLatestRows() {
  const iceberg::TableMetadata& metadata = *table_.metadata;
  std::vector<WrittenFile> files;
  if (!pending_->truncate) {
    TRY(auto live, iceberg::PlanFiles(context_.store, metadata, metadata.CurrentSnapshot(), manifests_));
    for (iceberg::LiveDataFile& file : live) {
      files.push_back({.file = std::move(file.entry.file), .sequence_number = file.entry.sequence_number});
    }
  }
  for (iceberg::DataFile& file : files_.AddedFiles()) {
    files.push_back({.file = std::move(file), .sequence_number = std::numeric_limits<int64_t>::max()});
  }
  const iceberg::Field& lsn = *layout_.schema.FindField(NameOf(OwnColumn::kLsn));
  const iceberg::FieldId operation = layout_.schema.FindField(NameOf(OwnColumn::kOperation))->id;
  iceberg::Schema projection = KeyProjection();
  std::vector<int> key_columns(projection.fields.size());
  std::iota(key_columns.begin(), key_columns.end(), 0);
  projection.fields.push_back(lsn);
  int64_t rows = 0;
  for (const WrittenFiles& group : InWriteOrder(std::move(files), lsn.id, operation)) {
    std::vector<Candidate> candidates;
    for (const WrittenFile& written : group.files) {
      const std::string& location = written.file.file_path;
      TRY(const uint32_t file, index_->AddFile(location));
      TRY(const iceberg::RowPositions deleted, files_.Deleted(location));
      TRY(auto reader, iceberg::OpenDataFile(context_.store, metadata, written.file, projection));
      index::RowPosition position{.file = file};
      while (true) {
        TRY(const auto batch, reader->Next().Context("reading {}", location));
        if (!batch) break;
        TRY(const auto keys, index::EncodeKeys(*batch, key_columns));
        const auto& lsns = static_cast<const arrow::Int64Array&>(*batch->columns().back());
        IndexChanges changes;
        for (size_t i = 0; i < keys.size(); ++i, ++position.row) {
          // A deleted row's key is found, too: whatever comes next for it brings all values.
          if (deleted.contains(uint64_t{position.row})) continue;
          if (group.interleaved) {
            candidates.push_back({std::string(keys[i]), lsns.Value(static_cast<int64_t>(i)), &written.file, position});
          } else {
            changes.push_back({.key = keys[i], .put = position});
          }
        }
        rows += batch->num_rows();
        if (!changes.empty()) TRY_VOID(index_->Apply(changes));
      }
    }
    if (!candidates.empty()) TRY_VOID(index_->Apply(LatestOf(candidates)));
  }
  LogInfo("built the index of each key's latest row, for values that updates leave as they are",
          {{"table", name_}, {"rows", rows}});
  return {};
}

Result<std::shared_ptr<arrow::RecordBatch>> TableWriter::FillFromLatestRows(const TableBatch& batch,
                                                                            const BatchKeys& keys,
                                                                            FoldedBatch& latest) {
  encode::EncodedRows rows = batch.rows;
  const std::span<const Change> all(batch.changes);
  auto fill = [&](ChangeRange range) -> Status {
    const auto changes = all.subspan(static_cast<size_t>(range.first), static_cast<size_t>(range.end - range.first));
    latest = Fold(changes, layout_.identity, keys.rows, keys.old, /*with_previous=*/true);
    if (rows.unchanged.empty()) return {};
    TRY(const Positions positions, index_->Lookup(latest.removed_keys));
    FoldedBatch every_row = latest;
    every_row.live_rows.clear();
    for (const Change& change : changes) {
      if (change.row >= 0) every_row.live_rows.push_back(change.row);
    }
    TRY(rows.batch, FillUnchangedValues(context_.store, layout_.schema, rows, every_row, positions,
                                        [this](uint32_t file) { return ReadableFile(file); }));
    return {};
  };
  ChangeRange range;
  for (const Change& change : batch.changes) {
    if (change.kind == ChangeKind::kTruncate) {
      TRY_VOID(fill(range));
      TRY_VOID(CloseDataFiles());
      TRY_VOID(index_->Reset(pending_->commit_id));
      range.first = range.end + 1;
    }
    ++range.end;
  }
  TRY_VOID(fill(range));
  return rows.batch;
}

}  // namespace firn::pipeline
