// Soft delete and history keep rows that the source no longer has: which do stand, and how one ceases to. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "firn/result.h"
#include "pipeline/row_facts.h"
#include "pipeline/table_layout.h"

namespace arrow {
class RecordBatch;
}

namespace firn::pipeline {

/// Whether a row with these facts is one that the source has.
inline bool Stands(const RowFacts& facts) { return !facts.deleted && !facts.valid_to_us; }

/// Adds to `projection` what StandingRows needs, where the mode keeps other rows.
void ProjectStanding(const TableLayout& layout, iceberg::Schema& projection);

/// The rows of a batch read from the table (with the columns of ProjectStanding among its own, by name) that the source
/// has, ascending: all of them in a mirror.
Result<std::vector<int64_t>> StandingRows(const TableLayout& layout, const arrow::RecordBatch& batch);

/// 0, 1, … for each row of the batch.
std::vector<int64_t> AllRows(const arrow::RecordBatch& batch);

struct FallenRows {
  std::shared_ptr<arrow::RecordBatch> rows;
  std::vector<int64_t> taken;  ///< By row: which of the batch's it is.
};
/// Rows of the table, with all columns of the layout, as they are after what `facts` says: marked deleted, or versions
/// that ended at valid_to_us. `facts` has an element a row, or one for all. A version that ends as it began was never
/// to be seen: it is left out.
Result<FallenRows> Fall(const TableLayout& layout, const std::shared_ptr<arrow::RecordBatch>& rows,
                        std::span<const RowFacts> facts);

}  // namespace firn::pipeline
