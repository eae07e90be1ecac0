// What FoldSoftDelete and FoldHistory share: the walk over the changes, and the rows that they keep.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "index/key_codec.h"
#include "pipeline/fold.h"
#include "pipeline/row_facts.h"
#include "pipeline/table_batch.h"

namespace firn::pipeline {

/// A row of the batch that is to be written.
struct WrittenRow {
  int32_t row = kNoRow;
  RowFacts facts;
};

inline void TakeWrittenRows(std::vector<WrittenRow> written, FoldedBatch& folded) {
  std::ranges::sort(written, {}, &WrittenRow::row);
  for (const WrittenRow& row : written) {
    folded.live_rows.push_back(row.row);
    folded.facts.push_back(row.facts);
  }
}

/// Calls folder.Insert(key, row, facts), .Update(old key, key, row, facts) and .Delete(old key, facts), in order. A
/// table whose rows nothing tells apart has no keys: each is empty.
template <typename Folder>
void ApplyChanges(const TableBatch& batch, ChangeRange range, const index::EncodedKeys& row_keys,
                  const index::EncodedKeys& old_keys, Folder& folder) {
  TransactionCursor transactions(batch);
  for (int32_t i = range.first; i < range.end; ++i) {
    const Change& change = batch.changes[i];
    const TransactionRun& transaction = transactions.Of(i);
    if (change.kind == ChangeKind::kDelete) {
      folder.Delete(old_keys[change.old], FactsOf(RowOperation::kDelete, transaction));
      continue;
    }
    const std::string_view key = row_keys.size() == 0 ? std::string_view() : row_keys[change.row];
    if (change.kind == ChangeKind::kInsert) {
      folder.Insert(key, change.row, FactsOf(RowOperation::kInsert, transaction));
    } else {
      folder.Update(change.old == kNoRow ? key : old_keys[change.old], key, change.row,
                    FactsOf(RowOperation::kUpdate, transaction));
    }
  }
}

/// The batch as a folder of the table's kind makes of it, which also has Finish().
template <typename KeyFolder, typename WholeRowFolder>
FoldedBatch FoldWith(const TableBatch& batch, ChangeRange range, RowIdentity identity,
                     const index::EncodedKeys& row_keys, const index::EncodedKeys& old_keys, bool with_previous) {
  if (identity == RowIdentity::kKey) {
    KeyFolder folder(row_keys.size(), with_previous);
    ApplyChanges(batch, range, row_keys, old_keys, folder);
    return std::move(folder).Finish();
  }
  WholeRowFolder folder;
  ApplyChanges(batch, range, row_keys, old_keys, folder);
  return std::move(folder).Finish();
}

}  // namespace firn::pipeline
