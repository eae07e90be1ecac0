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

/// A row for each change of the batch, in order, with all columns of the layout. `rows`: batch.rows.batch with its
/// unchanged values filled in; null where there are no rows.
Result<std::shared_ptr<arrow::RecordBatch>> MakeChangeRows(const TableLayout& layout, const TableBatch& batch,
                                                           const std::shared_ptr<arrow::RecordBatch>& rows);

}  // namespace firn::pipeline
