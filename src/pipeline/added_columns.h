// From a batch of source columns to rows of the Iceberg table: the computed columns and firn's own are added.
//
//   source columns (COPY, stream, application) ──► │ source │ computed │ own │ ──► data file
//                              facts of each row ────────────────────────┘
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <span>

#include "firn/result.h"
#include "pipeline/row_facts.h"
#include "pipeline/table_layout.h"

namespace firn::pipeline {

/// One of firn's own columns for `rows` rows, but for kBeforeKey; `facts` as for AddColumns.
Result<std::shared_ptr<arrow::Array>> MakeOwnColumn(OwnColumn column, const std::shared_ptr<arrow::DataType>& type,
                                                    int64_t rows, std::span<const RowFacts> facts);

/// The batch with all columns of layout.schema. `rows` has the source columns, in order; `facts` has an element a row,
/// or one that holds for every row (none is needed where there are no own columns). `before_keys`: the key columns of
/// what RowFacts::before_key counts in, where a row has one. A layout without added columns gives `rows` itself.
/// Thread-safety: pure.
Result<std::shared_ptr<arrow::RecordBatch>> AddColumns(const TableLayout& layout,
                                                       const std::shared_ptr<arrow::RecordBatch>& rows,
                                                       std::span<const RowFacts> facts,
                                                       const arrow::ArrayVector& before_keys = {});

}  // namespace firn::pipeline
