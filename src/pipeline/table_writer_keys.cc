// Deletes by key, for tables without an index of their rows; the rest of TableWriter is in table_writer.cc.
#include <unordered_set>

#include "base/try.h"
#include "pipeline/key_scan.h"
#include "pipeline/table_writer.h"
#include "pipeline/take_rows.h"

namespace firn::pipeline {

Status TableWriter::DeleteByKey(const TableBatch& batch, const FoldedBatch& folded, const BatchKeys& batch_keys,
                                Positions& removed) {
  std::vector<std::string_view> keys;
  std::vector<int32_t> missing;
  for (size_t i = 0; i < removed.size(); ++i) {
    // One with a position was written by this commit, which has deleted older rows with its key already.
    if (removed[i]) continue;
    keys.push_back(folded.removed_keys[i]);
    missing.push_back(static_cast<int32_t>(i));
  }
  if (keys.empty()) return {};
  TRY(const auto rows, TakeKeys(layout_, batch, batch_keys.rows, batch_keys.old, keys));
  if (!pending_->key_deletes) {
    pending_->key_deletes = std::make_unique<KeyDeletes>(
        context_.store, KeySchema(layout_), options_.files.parquet, options_.files.target_file_size_bytes,
        [this] { return iceberg::DataLocation(*table_.metadata, NextName("-equality-deletes.parquet")); });
  }
  TRY_VOID(pending_->key_deletes->Add(*rows));
  return batch.rows.unchanged.empty() ? Status{} : FindPreviousImages(batch, folded, rows, missing, removed);
}

Status TableWriter::FindPreviousImages(const TableBatch& batch, const FoldedBatch& folded,
                                       const std::shared_ptr<arrow::RecordBatch>& keys,
                                       std::span<const int32_t> missing, Positions& removed) {
  std::unordered_set<int32_t> wanted;
  for (const encode::UnchangedValue& value : batch.rows.unchanged) {
    PreviousImage image = folded.previous[static_cast<size_t>(value.row)];
    while (image.row >= 0) image = folded.previous[static_cast<size_t>(image.row)];
    wanted.insert(image.removed);
  }
  std::vector<int32_t> rows;
  for (size_t i = 0; i < missing.size(); ++i) {
    if (wanted.contains(missing[i])) rows.push_back(static_cast<int32_t>(i));
  }
  if (rows.empty()) return {};
  TRY(const auto searched, TakeRows(keys, rows));
  TRY(const auto places, FindRowsByKey(context_.store, *table_.metadata, manifests_, KeySchema(layout_), *searched));
  for (size_t i = 0; i < places.size(); ++i) {
    if (!places[i]) continue;
    TRY(const uint32_t file, index_->AddFile(places[i]->location));
    const auto key = static_cast<size_t>(missing[static_cast<size_t>(rows[i])]);
    removed[key] = index::RowPosition{.file = file, .row = places[i]->row};
  }
  return {};
}

}  // namespace firn::pipeline
