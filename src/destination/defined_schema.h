// A definition → the Iceberg schema, new or of the table that is there.
#pragma once

#include <span>
#include <string>

#include "firn/result.h"
#include "firn/table.h"
#include "iceberg/schema.h"

namespace firn::destination {

/// The Iceberg schema of a definition: field ids from 1 in column order, computed columns last; key columns required
/// and identifier fields. kInvalidConfig names what no table can have: no column, a name that is empty, twice, no UTF-8
/// or one of firn's own, a decimal without digits, a key column that does not exist, a computed one without a function.
Result<iceberg::Schema> SchemaOf(const TableDefinition& table);

/// Gives the columns of `schema` the ids that they have, by name, in the table; a column that the table lacks gets one
/// behind `last_column_id`. kSchemaMismatch where the key is another, a column is missing from `schema`, or has a type
/// that the table's doesn't widen to; columns of the key stay as they are. Neither schema has columns of firn's own.
Status AdoptFieldIds(const iceberg::Schema& existing, iceberg::FieldId last_column_id, std::span<const std::string> key,
                     iceberg::Schema& schema);

/// The table's schema as it has to become: its fields with the types and in the order of `fields`, new ones among them;
/// those that are not in `fields` last.
iceberg::Schema WithFields(std::span<const iceberg::Field> fields, const iceberg::Schema& existing);

}  // namespace firn::destination
