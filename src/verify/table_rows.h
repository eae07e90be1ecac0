// The rows that an Iceberg table holds of those that its source has.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "firn/result.h"
#include "pipeline/target_table.h"
#include "storage/file_store.h"
#include "verify/row_sink.h"

namespace arrow {
class RecordBatch;
}

namespace firn::verify {

/// The columns that tell the table's rows apart: its key's, or all.
std::vector<int> KeyColumnsOf(const pipeline::TargetTable& target);

/// Values of a row as text, each cut where it is long.
std::vector<std::string> TextsOf(const arrow::RecordBatch& batch, const std::vector<int>& columns, int64_t row);

/// Gives a batch's rows to `sink`: those of `rows`, which are ascending.
Status GiveRows(const arrow::RecordBatch& batch, const std::vector<int64_t>& rows, const pipeline::TargetTable& target,
                const RowSink& sink);

/// The table's rows at its current snapshot that stand: not those that are marked as deleted, nor earlier versions.
Status ReadTableRows(storage::FileStore& store, const pipeline::TargetTable& target, const RowSink& sink,
                     const std::stop_token& stop);

}  // namespace firn::verify
