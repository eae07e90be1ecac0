// The commit that ends the copy of a table: all its rows at once, with the change of schema that they came with.
#pragma once

#include <string>

#include "catalog/commit_loop.h"
#include "iceberg/row_delta.h"
#include "pipeline/progress.h"
#include "pipeline/target_table.h"
#include "storage/file_store.h"

namespace firn::pipeline {

/// Adds the files of a finished copy to a table; those that it holds, of an earlier copy and the changes since, go in
/// the same snapshot. `rows`: files that are added, and deletes of rows in these. `target` must outlive the change.
catalog::TableChange MakeCopyChange(storage::FileStore& store, const PipelineIdentity& writer,
                                    const TargetTable& target, iceberg::RowDelta rows, Lsn lsn,
                                    const std::string& commit_id);

}  // namespace firn::pipeline
