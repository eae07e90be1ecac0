// Computed columns: what a table's settings make of the source's columns, to partition by or to query.
#pragma once

#include <span>
#include <string>

#include "firn/result.h"
#include "iceberg/schema.h"
#include "pipeline/expression.h"
#include "pipeline/table_layout.h"

namespace firn::pipeline {

/// A computed column as a table's settings ask for it.
struct ComputedColumn {
  std::string name;
  std::string text;  ///< The expression as it was written.
  ParsedExpression expression;
};

/// kInvalidConfig says what is wrong with the expression, and where.
Result<ComputedColumn> ParseComputedColumn(const std::string& name, const std::string& expression);

/// Adds the columns to a layout that has its source columns and nothing else yet: with their ids where `existing` (the
/// table's whole schema) has them, else with ids that count from `last_column_id` + 1. Gives the last id in use.
/// kInvalidConfig for an expression that the table's columns don't fit, or a name that a source column has;
/// kSchemaMismatch where the table has the name with another type.
Result<iceberg::FieldId> AddComputedColumns(std::span<const ComputedColumn> columns, const iceberg::Schema& existing,
                                            iceberg::FieldId last_column_id, TableLayout& layout);

}  // namespace firn::pipeline
