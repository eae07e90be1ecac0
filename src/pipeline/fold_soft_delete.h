// Soft delete: like a mirror, but a row that the source deletes stays, with its last values, and is marked. A new row
// with its key takes its place. Pure and single-threaded.
#pragma once

#include "index/key_codec.h"
#include "pipeline/fold.h"
#include "pipeline/table_batch.h"

namespace firn::pipeline {

/// The changes [first, end) of the batch, without a TRUNCATE among them. Views in the result look into the keys.
///
/// kKey: a key has one row, deleted or not, and the index finds it. An update that changes the key takes the row along:
/// nothing was deleted. kWholeRow: deleted rows are not found any more, and stay for ever.
FoldedBatch FoldSoftDelete(const TableBatch& batch, ChangeRange range, RowIdentity identity,
                           const index::EncodedKeys& row_keys, const index::EncodedKeys& old_keys, bool with_previous);

}  // namespace firn::pipeline
