// Append mode: each change is a row. The rest of TableWriter is in table_writer.cc.
//
// No row is ever looked for, but for values that an UPDATE left as they were and PostgreSQL didn't send again: they are
// in the key's latest row. So the index comes into being with the first such value, and from then on follows.
#include <arrow/api.h>

#include <algorithm>
#include <iterator>
#include <numeric>
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

namespace firn::pipeline {
namespace {

/// The order in which firn wrote a table's files: later ones hold later changes. A file's lowest LSN still tells when
/// another engine has merged small files, which gives them a new sequence number.
auto WriteOrder(const iceberg::ManifestEntry& entry, iceberg::FieldId lsn_field) {
  const auto bound = entry.file.lower_bounds.find(lsn_field);
  uint64_t lsn = 0;
  if (bound != entry.file.lower_bounds.end()) {
    for (size_t i = bound->second.size(); i > 0; --i) lsn = lsn << 8 | static_cast<unsigned char>(bound->second[i - 1]);
  }
  return std::tuple(lsn, entry.sequence_number, std::string_view(entry.file.file_path));
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
  std::vector<iceberg::LiveDataFile> files;
  if (!pending_->truncate) {
    TRY(files, iceberg::PlanFiles(context_.store, metadata, metadata.CurrentSnapshot(), manifests_));
  }
  // Rows of one transaction that lie in several partitions' files have no order that could be told.
  const bool is_partitioned = std::ranges::any_of(
      metadata.partition_specs, [](const iceberg::PartitionSpec& spec) { return !spec.fields.empty(); });
  if (is_partitioned) {
    return MakeError(ErrorKind::kUnsupported,
                     "an UPDATE left a large value as it was, which PostgreSQL then doesn't send, and which row has it "
                     "can't be told of a partitioned append table; run ALTER TABLE … REPLICA IDENTITY FULL, so that it "
                     "sends such values, and drop the table in the catalog to copy it anew");
  }
  const iceberg::FieldId lsn_field = layout_.schema.FindField(NameOf(OwnColumn::kLsn))->id;
  std::ranges::sort(files, {}, [&](const iceberg::LiveDataFile& file) { return WriteOrder(file.entry, lsn_field); });
  std::vector<std::string> locations;
  for (const iceberg::LiveDataFile& file : files) locations.push_back(file.entry.file.file_path);
  std::ranges::copy(files_.AddedLocations(), std::back_inserter(locations));

  const iceberg::Schema projection = KeyProjection();
  std::vector<int> columns(projection.fields.size());
  std::iota(columns.begin(), columns.end(), 0);
  int64_t rows = 0;
  for (const std::string& location : locations) {
    TRY(const uint32_t file, index_->AddFile(location));
    TRY(const iceberg::RowPositions deleted, files_.Deleted(location));
    TRY(auto reader, iceberg::DataFileReader::Open(context_.store, location, projection));
    uint32_t row = 0;
    while (true) {
      TRY(const auto batch, reader->Next().Context("reading {}", location));
      if (!batch) break;
      TRY(const auto keys, index::EncodeKeys(*batch, columns));
      IndexChanges changes;
      for (size_t i = 0; i < keys.size(); ++i, ++row) {
        // A deleted row's key is found, too: whatever comes next for it brings all values.
        if (!deleted.contains(uint64_t{row})) changes.push_back({.key = keys[i], .put = index::RowPosition{file, row}});
      }
      rows += batch->num_rows();
      if (!changes.empty()) TRY_VOID(index_->Apply(changes));
    }
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
