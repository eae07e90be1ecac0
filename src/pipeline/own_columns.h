// firn's own columns: their names and types, and their place in a table's schema. Pure.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "firn/result.h"
#include "iceberg/schema.h"
#include "pipeline/table_layout.h"

namespace firn::pipeline {

/// Those of a table with this mode, in order.
std::vector<OwnColumn> OwnColumnsOf(ChangeMode mode, bool track_changes);

std::string_view NameOf(OwnColumn column);

/// An optional field without an id.
iceberg::Field FieldOf(OwnColumn column);

/// Adds `columns` to the layout, which has none yet: with their ids where `existing` (the table's whole schema) has
/// them, else with ids that count from `last_column_id` + 1. Gives the last id in use. kSchemaMismatch when a field of
/// that name is of another type, or when a source column has taken the name.
Result<iceberg::FieldId> AddOwnColumns(std::span<const OwnColumn> columns, const iceberg::Schema& existing,
                                       iceberg::FieldId last_column_id, TableLayout& layout);

}  // namespace firn::pipeline
