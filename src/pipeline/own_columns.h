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
std::vector<OwnColumn> OwnColumnsOf(ChangeMode mode, bool track_changes, RowIdentity identity);

std::string_view NameOf(OwnColumn column);
/// Whether a column of this name is one of firn's own, of whatever mode.
bool IsOwnColumn(std::string_view name);

/// An optional field without ids.
iceberg::Field FieldOf(OwnColumn column, const TableLayout& layout);

/// Adds `columns` to the layout, which has none yet: with their ids where `existing` (the table's whole schema) has
/// them, else with ids that count from `last_column_id` + 1, and nested fields likewise. Gives the last id in use.
/// kSchemaMismatch when a field of that name is of another type, or when a source column has taken the name.
Result<iceberg::FieldId> AddOwnColumns(std::span<const OwnColumn> columns, const iceberg::Schema& existing,
                                       iceberg::FieldId last_column_id, TableLayout& layout);

/// `schema` with every field of the layout: those that it lacks at its end, those that lack a nested field with it.
iceberg::Schema WithFieldsOf(const TableLayout& layout, iceberg::Schema schema);

}  // namespace firn::pipeline
