#include "destination/defined_schema.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include "base/try.h"
#include "destination/utf8.h"
#include "encode/type_mapping.h"
#include "pipeline/own_columns.h"

namespace firn::destination {
namespace {

using iceberg::Type;
using iceberg::TypeId;

constexpr int32_t kDecimalPrecisionMax = 38;

Result<Type> TypeOf(const Column& column) {
  switch (column.type) {
    case ColumnType::kBoolean:
      return Type::Primitive(TypeId::kBoolean);
    case ColumnType::kInt:
      return Type::Primitive(TypeId::kInt);
    case ColumnType::kLong:
      return Type::Primitive(TypeId::kLong);
    case ColumnType::kFloat:
      return Type::Primitive(TypeId::kFloat);
    case ColumnType::kDouble:
      return Type::Primitive(TypeId::kDouble);
    case ColumnType::kDecimal:
      if (column.precision < 1 || column.precision > kDecimalPrecisionMax || column.scale < 0 ||
          column.scale > column.precision) {
        return MakeError(ErrorKind::kInvalidConfig,
                         "column '{}': a decimal has 1 to {} digits, of which 0 to all are behind the point; not "
                         "decimal({}, {})",
                         column.name, kDecimalPrecisionMax, column.precision, column.scale);
      }
      return Type::Decimal(column.precision, column.scale);
    case ColumnType::kDate:
      return Type::Primitive(TypeId::kDate);
    case ColumnType::kTime:
      return Type::Primitive(TypeId::kTime);
    case ColumnType::kTimestamp:
      return Type::Primitive(TypeId::kTimestamp);
    case ColumnType::kTimestampTz:
      return Type::Primitive(TypeId::kTimestampTz);
    case ColumnType::kString:
      return Type::Primitive(TypeId::kString);
    case ColumnType::kUuid:
      return Type::Primitive(TypeId::kUuid);
    case ColumnType::kBinary:
      return Type::Primitive(TypeId::kBinary);
  }
  return MakeError(ErrorKind::kInvalidConfig, "column '{}' has the type {}, which is none", column.name,
                   static_cast<int>(column.type));
}

Status CheckName(std::string_view what, std::string_view name) {
  if (name.empty()) return MakeError(ErrorKind::kInvalidConfig, "a {} has no name", what);
  if (!IsUtf8(name)) return MakeError(ErrorKind::kInvalidConfig, "the name of a {} is not UTF-8", what);
  return {};
}

Status CheckNames(const TableDefinition& table) {
  TRY_VOID(CheckName("table", table.id.name));
  TRY_VOID(CheckName("table's namespace", table.id.name_space));
  if (table.columns.empty()) return MakeError(ErrorKind::kInvalidConfig, "it has no column");
  for (const ComputedColumn& computed : table.computed) {
    if (computed.compute) continue;
    return MakeError(ErrorKind::kInvalidConfig, "the computed column '{}' has no function", computed.column.name);
  }
  return {};
}

}  // namespace

Result<iceberg::Schema> SchemaOf(const TableDefinition& table) {
  TRY_VOID(CheckNames(table));
  iceberg::Schema schema;
  std::vector<Column> columns = table.columns;
  for (const ComputedColumn& computed : table.computed) columns.push_back(computed.column);
  for (const Column& column : columns) {
    TRY_VOID(CheckName("column", column.name));
    if (schema.FindField(column.name) != nullptr) {
      return MakeError(ErrorKind::kInvalidConfig, "column '{}' is defined twice", column.name);
    }
    if (pipeline::IsOwnColumn(column.name)) {
      return MakeError(ErrorKind::kInvalidConfig, "column '{}' has the name of a column that firn adds", column.name);
    }
    const bool is_key = std::ranges::find(table.key, column.name) != table.key.end();
    TRY(Type type, TypeOf(column));
    schema.fields.push_back({.id = static_cast<iceberg::FieldId>(schema.fields.size() + 1),
                             .name = column.name,
                             .required = is_key,
                             .type = std::move(type)});
  }
  for (const std::string& key : table.key) {
    const iceberg::Field* field = schema.FindField(key);
    if (field == nullptr) return MakeError(ErrorKind::kInvalidConfig, "key column '{}' is not a column", key);
    if (!schema.identifier_field_ids.insert(field->id).second) {
      return MakeError(ErrorKind::kInvalidConfig, "key column '{}' is named twice", key);
    }
  }
  return schema;
}

Status AdoptFieldIds(const iceberg::Schema& existing, iceberg::FieldId last_column_id, std::span<const std::string> key,
                     iceberg::Schema& schema) {
  std::set<iceberg::FieldId> identifiers;
  for (iceberg::Field& field : schema.fields) {
    const bool identifies = schema.identifier_field_ids.contains(field.id);
    const bool is_key = std::ranges::find(key, field.name) != key.end();
    const iceberg::Field* found = existing.FindField(field.name);
    if (found == nullptr) {
      if (is_key) {
        return MakeError(ErrorKind::kSchemaMismatch, "the table exists without the key column '{}'", field.name);
      }
      field.id = ++last_column_id;
      continue;
    }
    const bool fits = found->type == field.type || (!is_key && encode::Widens(found->type, field.type));
    if (!fits || found->required != field.required) {
      return MakeError(
          ErrorKind::kSchemaMismatch,
          "the table's column '{}' is {}{}, and the definition's {}{}; a column that is not of the key may "
          "become a wider one: int long, float double, a decimal one of more digits",
          field.name, found->required ? "required " : "", ToString(found->type), field.required ? "required " : "",
          ToString(field.type));
    }
    field.id = found->id;
    if (identifies) identifiers.insert(found->id);
  }
  for (const iceberg::Field& field : existing.fields) {
    if (schema.FindField(field.name) != nullptr) continue;
    return MakeError(ErrorKind::kSchemaMismatch,
                     "the table has the column '{}', which the definition lacks; columns can be added, not taken away",
                     field.name);
  }
  if (identifiers != existing.identifier_field_ids) {
    return MakeError(ErrorKind::kSchemaMismatch, "the table exists with another key");
  }
  schema.identifier_field_ids = std::move(identifiers);
  return {};
}

iceberg::Schema WithFields(std::span<const iceberg::Field> fields, const iceberg::Schema& existing) {
  iceberg::Schema schema = existing;
  schema.fields.clear();
  for (const iceberg::Field& field : fields) {
    const iceberg::Field* found = existing.FindField(field.id);
    schema.fields.push_back(found == nullptr ? field : *found);
    schema.fields.back().type = field.type;
  }
  for (const iceberg::Field& field : existing.fields) {
    if (schema.FindField(field.id) == nullptr) schema.fields.push_back(field);
  }
  return schema;
}

}  // namespace firn::destination
