#include "destination/stored_definition.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/try.h"
#include "iceberg/json_member.h"
#include "pipeline/change_mode.h"
#include "pipeline/own_columns.h"

namespace firn::destination {
namespace {

using iceberg::TransformKind;
using iceberg::TypeId;

std::string NamesJson(const std::vector<std::string>& names) { return iceberg::DumpJson(iceberg::Json(names)); }

Result<std::vector<std::string>> ParseNames(const std::string& json) {
  TRY(const iceberg::Json parsed, iceberg::ParseJson(json));
  if (!parsed.is_array()) return MakeError(ErrorKind::kCorrupt, "expected an array, found {}", parsed.type_name());
  std::vector<std::string> names;
  for (const iceberg::Json& name : parsed) {
    TRY(names.emplace_back(), iceberg::JsonValue<std::string>(name));
  }
  return names;
}

Result<Column> ColumnOf(const iceberg::Field& field) {
  const auto column = [&](ColumnType type) { return Column{.name = field.name, .type = type}; };
  switch (field.type.id) {
    case TypeId::kBoolean:
      return column(ColumnType::kBoolean);
    case TypeId::kInt:
      return column(ColumnType::kInt);
    case TypeId::kLong:
      return column(ColumnType::kLong);
    case TypeId::kFloat:
      return column(ColumnType::kFloat);
    case TypeId::kDouble:
      return column(ColumnType::kDouble);
    case TypeId::kDecimal:
      return Column{.name = field.name,
                    .type = ColumnType::kDecimal,
                    .precision = field.type.precision,
                    .scale = field.type.scale};
    case TypeId::kDate:
      return column(ColumnType::kDate);
    case TypeId::kTime:
      return column(ColumnType::kTime);
    case TypeId::kTimestamp:
      return column(ColumnType::kTimestamp);
    case TypeId::kTimestampTz:
      return column(ColumnType::kTimestampTz);
    case TypeId::kString:
      return column(ColumnType::kString);
    case TypeId::kUuid:
      return column(ColumnType::kUuid);
    case TypeId::kBinary:
      return column(ColumnType::kBinary);
    default:
      return MakeError(ErrorKind::kUnsupported, "column '{}' is {}, which no definition can say", field.name,
                       ToString(field.type));
  }
}

/// As partition_by has it (pipeline/partition_by.h).
Result<std::string> TermOf(const iceberg::PartitionField& field, const iceberg::Schema& schema) {
  const iceberg::Field* source = schema.FindField(field.source_id);
  if (source == nullptr) {
    return MakeError(ErrorKind::kUnsupported, "partition field '{}' is not of a column", field.name);
  }
  std::string column = "\"";
  for (const char c : source->name) column += c == '"' ? std::string("\"\"") : std::string(1, c);
  column += '"';
  switch (field.transform.kind) {
    case TransformKind::kBucket:
      return fmt::format("bucket({}, {})", field.transform.parameter, column);
    case TransformKind::kTruncate:
      return fmt::format("truncate({}, {})", field.transform.parameter, column);
    default:
      return fmt::format("{}({})", ToString(field.transform), column);
  }
}

ChangeMode ModeOf(const iceberg::TableMetadata& metadata) {
  using pipeline::ToString;
  const auto property = metadata.properties.find(pipeline::kChangeModeProperty);
  const std::string_view mode = property == metadata.properties.end() ? "" : std::string_view(property->second);
  if (mode == ToString(pipeline::ChangeMode::kSoftDelete)) return ChangeMode::kSoftDelete;
  if (mode == ToString(pipeline::ChangeMode::kHistory)) return ChangeMode::kHistory;
  if (mode == ToString(pipeline::ChangeMode::kAppend)) return ChangeMode::kAppend;
  return ChangeMode::kMirror;
}

}  // namespace

iceberg::Properties DefinitionProperties(const TableDefinition& definition) {
  std::vector<std::string> computed;
  for (const ComputedColumn& column : definition.computed) computed.push_back(column.column.name);
  return {{kDefinedKeyProperty, NamesJson(definition.key)}, {kDefinedComputedProperty, NamesJson(computed)}};
}

Result<std::optional<TableDefinition>> DefinitionOf(const TableId& id, const iceberg::TableMetadata& metadata) {
  const auto key = metadata.properties.find(kDefinedKeyProperty);
  const auto computed = metadata.properties.find(kDefinedComputedProperty);
  if (key == metadata.properties.end() || computed == metadata.properties.end()) return std::nullopt;
  TRY(const auto computed_names, ParseNames(computed->second).Context("property {}", kDefinedComputedProperty));
  if (!computed_names.empty()) {
    return MakeError(ErrorKind::kTableNotFound,
                     "table {}.{} has the computed column '{}', so it has to be defined: call DefineTable first",
                     id.name_space, id.name, computed_names.front());
  }
  TableDefinition definition{.id = id, .mode = ModeOf(metadata)};
  TRY(definition.key, ParseNames(key->second).Context("property {}", kDefinedKeyProperty));
  const iceberg::Schema schema = metadata.CurrentSchema();
  for (const iceberg::Field& field : schema.fields) {
    if (!pipeline::IsOwnColumn(field.name)) {
      TRY(definition.columns.emplace_back(), ColumnOf(field));
    } else if (definition.mode != ChangeMode::kAppend && field.name == NameOf(pipeline::OwnColumn::kOperation)) {
      definition.track_changes = true;
    }
  }
  for (const iceberg::PartitionField& field : metadata.DefaultSpec().fields) {
    if (field.transform.kind == TransformKind::kVoid) continue;  // Removed from a table of format version 1.
    TRY(definition.partition_by.emplace_back(), TermOf(field, schema));
  }
  return definition;
}

}  // namespace firn::destination
