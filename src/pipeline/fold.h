// Many changes of one key become its last state: what remains to be written, and which rows of the table must go.
// This is the mirror's way; fold_soft_delete and fold_history keep what it forgets. Pure and single-threaded.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "index/key_codec.h"
#include "pipeline/row_facts.h"
#include "pipeline/table_batch.h"

namespace firn::pipeline {

/// In place of the index of a row or key that is not there.
inline constexpr int32_t kNoRow = -1;

/// Where a row's previous image is: needed for values that the source did not send again (unchanged TOAST).
struct PreviousImage {
  int32_t row = kNoRow;      ///< An earlier row of the batch, or
  int32_t removed = kNoRow;  ///< the table's row that removed_keys[removed] finds.
};

/// The table's row that removed_keys[removed] finds is written again, with other facts.
struct RewrittenRow {
  int32_t removed = kNoRow;
  RowFacts facts;
  bool operator==(const RewrittenRow&) const = default;
};

struct FoldedBatch {
  /// Rows of the batch that are to be written, ascending. In a mirror: those that are alive at its end.
  std::vector<int32_t> live_rows;
  /// Beside live_rows; empty in a mirror, where FactsOfRows tells.
  std::vector<RowFacts> facts;
  /// Keys whose row in the table, written before this batch, must go from its place. kWholeRow: a key may stand more
  /// than once.
  std::vector<std::string_view> removed_keys;
  /// Beside removed_keys: the table need not have such a row. Empty: it has each.
  std::vector<bool> maybe_absent;
  std::vector<RewrittenRow> rewritten;
  /// By row of the batch; empty unless asked for.
  std::vector<PreviousImage> previous;
  /// kKey: keys that the table held and that no row has any more by which it is to be found.
  std::vector<std::string_view> vanished_keys;
};

/// `row_keys`: the keys of batch.rows; `old_keys`: those of batch.old_keys. `with_previous`: fill `previous`.
/// The views in the result look into both.
FoldedBatch Fold(std::span<const Change> changes, RowIdentity identity, const index::EncodedKeys& row_keys,
                 const index::EncodedKeys& old_keys, bool with_previous);

}  // namespace firn::pipeline
