#include "pipeline/own_columns.h"

#include <algorithm>
#include <utility>

namespace firn::pipeline {
namespace {

iceberg::TypeId TypeOf(OwnColumn column) {
  switch (column) {
    case OwnColumn::kOperation:
      return iceberg::TypeId::kString;
    case OwnColumn::kLsn:
      return iceberg::TypeId::kLong;
    case OwnColumn::kCommittedAt:
    case OwnColumn::kValidFrom:
    case OwnColumn::kValidTo:
      return iceberg::TypeId::kTimestampTz;
    case OwnColumn::kDeleted:
    case OwnColumn::kCurrent:
      return iceberg::TypeId::kBoolean;
  }
  std::unreachable();
}

std::string_view DocOf(OwnColumn column) {
  switch (column) {
    case OwnColumn::kOperation:
      return "copy, insert, update, delete or truncate: what made this row as it is";
    case OwnColumn::kLsn:
      return "LSN of the transaction's commit in PostgreSQL";
    case OwnColumn::kCommittedAt:
      return "when PostgreSQL committed the transaction";
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

std::vector<OwnColumn> OwnColumnsOf(ChangeMode mode, bool track_changes) {
  std::vector<OwnColumn> columns;
  if (mode == ChangeMode::kSoftDelete) columns = {OwnColumn::kDeleted};
  if (mode == ChangeMode::kHistory) columns = {OwnColumn::kValidFrom, OwnColumn::kValidTo, OwnColumn::kCurrent};
  if (track_changes || mode == ChangeMode::kAppend) {
    columns.insert(columns.end(), {OwnColumn::kOperation, OwnColumn::kLsn, OwnColumn::kCommittedAt});
  }
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

iceberg::Field FieldOf(OwnColumn column) {
  return {.name = std::string(NameOf(column)),
          .type = iceberg::Type::Primitive(TypeOf(column)),
          .doc = std::string(DocOf(column))};
}

Result<iceberg::FieldId> AddOwnColumns(std::span<const OwnColumn> columns, const iceberg::Schema& existing,
                                       iceberg::FieldId last_column_id, TableLayout& layout) {
  for (const OwnColumn column : columns) {
    iceberg::Field field = FieldOf(column);
    if (layout.schema.FindField(field.name) != nullptr) {
      return MakeError(ErrorKind::kSchemaMismatch,
                       "the source table has a column {}, which is the name of a column that firn adds; rename it in "
                       "PostgreSQL, or leave the table out of source.tables",
                       field.name);
    }
    if (const iceberg::Field* found = existing.FindField(field.name)) {
      if (found->type != field.type || found->required) {
        return MakeError(ErrorKind::kSchemaMismatch,
                         "the Iceberg table has a {}column {} of type {} where firn needs an optional {}; rename it "
                         "there, or drop the table in the catalog to copy it anew",
                         found->required ? "required " : "", field.name, ToString(found->type), ToString(field.type));
      }
      field = *found;
    } else {
      field.id = ++last_column_id;
    }
    layout.schema.fields.push_back(std::move(field));
    layout.own_columns.push_back(column);
  }
  return last_column_id;
}

}  // namespace firn::pipeline
