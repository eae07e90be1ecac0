// Many changes of one key become its last state: what remains to be written, and which rows of the table must go.
// Pure and single-threaded.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "index/key_codec.h"
#include "pipeline/table_batch.h"

namespace firn::pipeline {

/// Where a row's previous image is: needed for values that the source did not send again (unchanged TOAST).
struct PreviousImage {
  int32_t row = -1;      ///< An earlier row of the batch, or
  int32_t removed = -1;  ///< the table's row that removed_keys[removed] finds.
};

struct FoldedBatch {
  /// Rows of the batch that are alive at its end, ascending.
  std::vector<int32_t> live_rows;
  /// Keys whose row in the table, written before this batch, must be deleted. kWholeRow: a key may stand more than
  /// once.
  std::vector<std::string_view> removed_keys;
  /// By row of the batch; empty unless asked for.
  std::vector<PreviousImage> previous;
  /// kKey: keys that the table held and that no live row has any more. Views into the keys given to Fold.
  std::vector<std::string_view> vanished_keys;
};

/// `row_keys`: the keys of batch.rows; `old_keys`: those of batch.old_keys. `with_previous`: fill `previous`.
/// The views in the result look into both.
FoldedBatch Fold(std::span<const Change> changes, RowIdentity identity, const index::EncodedKeys& row_keys,
                 const index::EncodedKeys& old_keys, bool with_previous);

}  // namespace firn::pipeline
