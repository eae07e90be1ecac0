// What a table itself says of its definition: its schema and spec, and in properties what they don't tell.
#pragma once

#include <optional>

#include "firn/result.h"
#include "firn/table.h"
#include "iceberg/table_metadata.h"

namespace firn::destination {

// Table properties (docs/snapshot_summary.md): JSON arrays of names.
inline constexpr char kDefinedKeyProperty[] = "firn.definition.key";
inline constexpr char kDefinedComputedProperty[] = "firn.definition.computed";

/// The properties that `definition` gives a table.
iceberg::Properties DefinitionProperties(const TableDefinition& definition);

/// The definition that the table was made or opened with last; nothing for a table that no Destination has defined.
/// kTableNotFound for one with computed columns, whose functions only the application has; kUnsupported where another
/// writer has given it columns or partitions that a definition can't name.
Result<std::optional<TableDefinition>> DefinitionOf(const TableId& id, const iceberg::TableMetadata& metadata);

}  // namespace firn::destination
