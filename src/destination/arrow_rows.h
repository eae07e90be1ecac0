// An application's Arrow data → the columns of a table.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "firn/destination.h"
#include "iceberg/schema.h"

namespace arrow {
class RecordBatch;
}  // namespace arrow

namespace firn::destination {

/// Takes both structs over. kSchemaMismatch for data that contradicts itself: lengths, offsets, text that is not UTF-8.
Result<std::shared_ptr<arrow::RecordBatch>> ImportRows(ArrowSchema* schema, ArrowArray* rows);

/// The columns `fields` of `rows`, by name, in their types; one that is missing is null throughout, unless it is in
/// `never_null`: kSchemaMismatch, as for a null in such a column. `allow_others`: whether `rows` may have more columns.
Result<std::shared_ptr<arrow::RecordBatch>> FitRows(const arrow::RecordBatch& rows,
                                                    std::span<const iceberg::Field> fields,
                                                    std::span<const std::string> never_null, bool allow_others);

}  // namespace firn::destination
