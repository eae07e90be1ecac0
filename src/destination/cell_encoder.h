// Values of an application's rows → Arrow columns.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "encode/row_encoder.h"
#include "firn/destination.h"
#include "iceberg/schema.h"

namespace firn::destination {

/// The Iceberg schema of a definition: field ids from 1 in column order, computed columns last; key columns required
/// and identifier fields. kInvalidConfig names a key column that does not exist, or a column named twice.
Result<iceberg::Schema> SchemaOf(const TableDefinition& table);

/// `fields` says which columns a row has, in order. kSchemaMismatch names table-relative row number and column.
Result<encode::EncodedRows> EncodeCells(std::span<const iceberg::Field> fields, std::span<const Row* const> rows);

}  // namespace firn::destination
