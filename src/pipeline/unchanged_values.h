// Unchanged TOAST values: an UPDATE that leaves a large value as it is doesn't send it again. It is found where the
// row's previous image is: in an earlier row of the same batch, or in the table's file.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "firn/result.h"
#include "iceberg/schema.h"
#include "index/table_index.h"
#include "pipeline/fold.h"
#include "storage/file_store.h"

namespace firn::pipeline {

/// The batch's rows with every unchanged value of a live row filled in. `removed[i]` is where removed_keys[i]'s row
/// lies; `location` names an index file number's data file. kCorrupt when a previous image can't be found: the value
/// would be lost.
Result<std::shared_ptr<arrow::RecordBatch>> FillUnchangedValues(
    storage::FileStore& store, const iceberg::Schema& schema, const encode::EncodedRows& rows,
    const FoldedBatch& folded, std::span<const std::optional<index::RowPosition>> removed,
    const std::function<Result<std::string>(uint32_t)>& location);

}  // namespace firn::pipeline
