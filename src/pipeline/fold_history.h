// History (slowly changing dimension, type 2): each version of a row is a row, valid from the commit that made it to
// the one that replaced or deleted it. Pure and single-threaded.
//
//   insert a@1   update a@2   update a@2   delete a@5        rows: a [1,2)  a [2,5)
//
// A version that began and ended with the same commit was never to be seen and is not kept: of a transaction's several
// versions of a row the last remains.
#pragma once

#include "index/key_codec.h"
#include "pipeline/fold.h"
#include "pipeline/table_batch.h"

namespace firn::pipeline {

/// The changes [first, end) of the batch, without a TRUNCATE among them. Views in the result look into the keys.
/// rewritten: versions of the table that ended, with valid_to_us; whoever reads them leaves out those that began then.
///
/// The index finds current versions only. kWholeRow: which of several equal current versions ends is of no matter: how
/// many of them are valid at any time is right.
FoldedBatch FoldHistory(const TableBatch& batch, ChangeRange range, RowIdentity identity,
                        const index::EncodedKeys& row_keys, const index::EncodedKeys& old_keys, bool with_previous);

}  // namespace firn::pipeline
