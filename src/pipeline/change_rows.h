// Append mode: each change is a row, with the values that the change told. Pure.
//
//   insert, update   the new row                    delete     the key columns, or all with REPLICA IDENTITY FULL
//                                                   truncate   nothing but firn's own columns
#pragma once

#include <memory>

#include "firn/result.h"
#include "pipeline/table_batch.h"
#include "pipeline/table_layout.h"

namespace arrow {
class RecordBatch;
}

namespace firn::pipeline {

/// The rows of the batch that a change brings: [first, end) of batch.rows and of batch.old_keys.
struct RowsOfChanges {
  ChangeRange rows;
  ChangeRange old;
};
RowsOfChanges RowsOf(const TableBatch& batch, ChangeRange range);

/// A row for each of these changes of the batch, in order, with all columns of the layout. `rows`: those of the batch
/// that RowsOf says, with their unchanged values filled in; null where there are none.
Result<std::shared_ptr<arrow::RecordBatch>> MakeChangeRows(const TableLayout& layout, const TableBatch& batch,
                                                           ChangeRange range,
                                                           const std::shared_ptr<arrow::RecordBatch>& rows);

}  // namespace firn::pipeline
