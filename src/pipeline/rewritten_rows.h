// Rows of the table that stay with other facts (marked deleted, a version ended): read from their files, to be written
// again.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "firn/result.h"
#include "index/table_index.h"
#include "pipeline/fold.h"
#include "pipeline/table_layout.h"
#include "storage/file_store.h"

namespace arrow {
class RecordBatch;
}

namespace firn::pipeline {

/// Takes rows with all columns of the layout; rewritten[i] says which row of FoldedBatch::rewritten row i is.
using RewrittenRowsSink =
    std::function<Status(const std::shared_ptr<arrow::RecordBatch>& rows, std::span<const int32_t> rewritten)>;

/// Reads the rows of `rewritten` that have a position (`positions[i]` is where removed_keys[i]'s row lies) and gives
/// them as they are now (standing_rows.h), a bounded number of bytes at a time. `location` names an index file number's
/// data file, which must be closed.
Status ReadRewrittenRows(storage::FileStore& store, const TableLayout& layout, std::span<const RewrittenRow> rewritten,
                         std::span<const std::optional<index::RowPosition>> positions,
                         const std::function<Result<std::string>(uint32_t)>& location, const RewrittenRowsSink& sink);

}  // namespace firn::pipeline
