// What an Iceberg table holds, for people: from the summary of its current snapshot. Pure.
#pragma once

#include <optional>

#include "iceberg/table_metadata.h"
#include "observe/pipeline_status.h"
#include "pipeline/target_table.h"

namespace firn::pipeline {

/// Nothing where the table has no snapshot.
std::optional<TableContents> ContentsOf(const iceberg::TableMetadata& metadata);

/// Fills in what a table that has progress says of itself before the first commit of this process.
void DescribeCopied(const TargetTable& target, TableStatus& status);

}  // namespace firn::pipeline
