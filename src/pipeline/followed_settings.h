// The settings of a table whose columns were renamed or dropped since the configuration was written: they name columns
// as they were called then. Pure.
#pragma once

#include <string>
#include <vector>

#include "iceberg/table_metadata.h"
#include "model/source_table.h"
#include "pipeline/source_definition.h"
#include "pipeline/table_settings.h"

namespace firn::pipeline {

struct FollowedSettings {
  TableSettings settings;
  /// For the operator, who is to correct the configuration: "partition_by names column \"a\", which is \"b\" now".
  std::vector<std::string> warnings;
};

/// A name that no column of the source has, but one had when the Iceberg table had a field of that name, is that
/// column's: it gets the name of now, and where the column is gone, what the settings say of it goes, too (a partition
/// term, a computed column with the terms that name it, a type, a policy). Names that never were are left alone.
FollowedSettings FollowColumns(const TableSettings& settings, const iceberg::TableMetadata& table,
                               const StoredDefinition& stored, const SourceTable& source);

}  // namespace firn::pipeline
