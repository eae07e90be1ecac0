#include "pipeline/own_columns.h"

#include <algorithm>
#include <utility>

namespace firn::pipeline {
namespace {

iceberg::Type TypeOf(OwnColumn column, const TableLayout& layout) {
  using iceberg::Type;
  using iceberg::TypeId;
  switch (column) {
    case OwnColumn::kOperation:
      return Type::Primitive(TypeId::kString);
    case OwnColumn::kLsn:
      return Type::Primitive(TypeId::kLong);
    case OwnColumn::kCommittedAt:
    case OwnColumn::kValidFrom:
    case OwnColumn::kValidTo:
      return Type::Primitive(TypeId::kTimestampTz);
    case OwnColumn::kDeleted:
    case OwnColumn::kCurrent:
      return Type::Primitive(TypeId::kBoolean);
    case OwnColumn::kBeforeKey: {
      std::vector<iceberg::Field> fields;
      for (const int key : layout.key_columns) {
        const iceberg::Field& field = layout.schema.fields[static_cast<size_t>(key)];
        fields.push_back({.name = field.name, .type = field.type});
      }
      return Type::Struct(std::move(fields));
    }
  }
  std::unreachable();
}

/// Whether files with values of type `before` can be read as `after` (spec: "Schema Evolution").
bool Widens(const iceberg::Type& before, const iceberg::Type& after) {
  using iceberg::TypeId;
  if (before.id == TypeId::kDecimal && after.id == TypeId::kDecimal) {
    return before.scale == after.scale && before.precision <= after.precision;
  }
  return (before.id == TypeId::kInt && after.id == TypeId::kLong) ||
         (before.id == TypeId::kFloat && after.id == TypeId::kDouble);
}

/// Equal but for ids and names of nested fields.
bool SameShape(const iceberg::Type& a, const iceberg::Type& b) {
  return a.id == b.id && a.precision == b.precision && a.scale == b.scale && a.length == b.length &&
         std::ranges::equal(a.fields, b.fields, [](const iceberg::Field& left, const iceberg::Field& right) {
           return SameShape(left.type, right.type);
         });
}

/// Gives a field and those nested in it their ids: those of `existing` where it has them.
void AssignIds(const iceberg::Field* existing, iceberg::FieldId& last_id, iceberg::Field& field) {
  field.id = existing != nullptr ? existing->id : ++last_id;
  for (iceberg::Field& nested : field.type.fields) {
    const iceberg::Field* found = nullptr;
    if (existing != nullptr) {
      const auto& candidates = existing->type.fields;
      const auto position = std::ranges::find_if(candidates, [&](const iceberg::Field& candidate) {
        return candidate.name == nested.name &&
               (SameShape(candidate.type, nested.type) || Widens(candidate.type, nested.type));
      });
      if (position != candidates.end()) found = &*position;
    }
    AssignIds(found, last_id, nested);
  }
}

std::string_view DocOf(OwnColumn column) {
  switch (column) {
    case OwnColumn::kOperation:
      return "copy, insert, update, delete or truncate: what made this row as it is";
    case OwnColumn::kLsn:
      return "LSN of the transaction's commit in PostgreSQL";
    case OwnColumn::kCommittedAt:
      return "when PostgreSQL committed the transaction";
    case OwnColumn::kBeforeKey:
      return "the row's key before this change, where the change took it away";
    case OwnColumn::kDeleted:
      return "true once PostgreSQL no longer has the row";
    case OwnColumn::kValidFrom:
      return "when PostgreSQL committed this version of the row";
    case OwnColumn::kValidTo:
      return "when PostgreSQL committed the row's next version or its deletion; null while this version is current";
    case OwnColumn::kCurrent:
      return "whether PostgreSQL has this version of the row now";
  }
  std::unreachable();
}

}  // namespace

std::vector<OwnColumn> OwnColumnsOf(ChangeMode mode, bool track_changes, RowIdentity identity) {
  std::vector<OwnColumn> columns;
  if (mode == ChangeMode::kSoftDelete) columns = {OwnColumn::kDeleted};
  if (mode == ChangeMode::kHistory) columns = {OwnColumn::kValidFrom, OwnColumn::kValidTo, OwnColumn::kCurrent};
  if (track_changes || mode == ChangeMode::kAppend) {
    columns.insert(columns.end(), {OwnColumn::kOperation, OwnColumn::kLsn, OwnColumn::kCommittedAt});
  }
  if (mode == ChangeMode::kAppend && identity != RowIdentity::kAppendOnly) columns.push_back(OwnColumn::kBeforeKey);
  return columns;
}

std::string_view NameOf(OwnColumn column) {
  switch (column) {
    case OwnColumn::kOperation:
      return "_firn_op";
    case OwnColumn::kLsn:
      return "_firn_lsn";
    case OwnColumn::kCommittedAt:
      return "_firn_committed_at";
    case OwnColumn::kBeforeKey:
      return "_firn_before_key";
    case OwnColumn::kDeleted:
      return "_firn_deleted";
    case OwnColumn::kValidFrom:
      return "_firn_valid_from";
    case OwnColumn::kValidTo:
      return "_firn_valid_to";
    case OwnColumn::kCurrent:
      return "_firn_current";
  }
  std::unreachable();
}

bool IsOwnColumn(std::string_view name) {
  using enum OwnColumn;
  constexpr OwnColumn kAll[] = {kOperation, kLsn, kCommittedAt, kBeforeKey, kDeleted, kValidFrom, kValidTo, kCurrent};
  return std::ranges::any_of(kAll, [&](OwnColumn column) { return NameOf(column) == name; });
}

iceberg::Field FieldOf(OwnColumn column, const TableLayout& layout) {
  return {.name = std::string(NameOf(column)), .type = TypeOf(column, layout), .doc = std::string(DocOf(column))};
}

Result<iceberg::FieldId> AddOwnColumns(std::span<const OwnColumn> columns, const iceberg::Schema& existing,
                                       iceberg::FieldId last_column_id, TableLayout& layout) {
  for (const OwnColumn column : columns) {
    iceberg::Field field = FieldOf(column, layout);
    if (layout.schema.FindField(field.name) != nullptr) {
      return MakeError(ErrorKind::kSchemaMismatch,
                       "the source table has a column {}, which is the name of a column that firn adds; rename it in "
                       "PostgreSQL, or leave the table out of source.tables",
                       field.name);
    }
    const iceberg::Field* found = existing.FindField(field.name);
    if (found != nullptr && (found->type.id != field.type.id || found->required)) {
      return MakeError(ErrorKind::kSchemaMismatch,
                       "the Iceberg table has a {}column {} of type {} where firn needs an optional {}; rename it "
                       "there, or drop the table in the catalog to copy it anew",
                       found->required ? "required " : "", field.name, ToString(found->type), ToString(field.type));
    }
    AssignIds(found, last_column_id, field);
    layout.schema.fields.push_back(std::move(field));
    layout.own_columns.push_back(column);
  }
  return last_column_id;
}

iceberg::Schema WithFieldsOf(const TableLayout& layout, iceberg::Schema schema) {
  for (const iceberg::Field& field : layout.schema.fields) {
    const auto found = std::ranges::find(schema.fields, field.id, &iceberg::Field::id);
    if (found == schema.fields.end()) {
      schema.fields.push_back(field);
      continue;
    }
    if (field.name != NameOf(OwnColumn::kBeforeKey)) continue;
    for (const iceberg::Field& nested : field.type.fields) {
      auto& members = found->type.fields;
      const auto member = std::ranges::find(members, nested.id, &iceberg::Field::id);
      if (member != members.end()) {
        member->type = nested.type;
        continue;
      }
      // Another type of the same name: rows that have it can still be read by its id, at an earlier snapshot.
      std::erase_if(members, [&](const iceberg::Field& other) { return other.name == nested.name; });
      members.push_back(nested);
    }
  }
  return schema;
}

}  // namespace firn::pipeline
