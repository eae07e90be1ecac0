#include "pipeline/delete_form.h"

#include "base/try.h"
#include "iceberg/equality_deletes.h"
#include "observe/log.h"

namespace firn::pipeline {

Status CheckDeleteForm(const TableLayout& layout) {
  if (layout.deletes != DeleteForm::kEquality) return {};
  if (layout.mode == ChangeMode::kAppend) return {};  // It deletes nothing.
  if (layout.mode != ChangeMode::kMirror) {
    return MakeError(
        ErrorKind::kInvalidConfig,
        "destination.deletes: equality finds no rows, which tables that keep deleted ones (cdc.mode: history, "
        "or cdc.enable_deletes: false) need; set destination.deletes to position (format version 2) or vector "
        "(3)");
  }
  if (layout.identity == RowIdentity::kWholeRow) {
    return MakeError(ErrorKind::kInvalidConfig,
                     "destination.deletes: equality needs a key, and the table has none (REPLICA IDENTITY FULL): of "
                     "equal rows all would be deleted; give it a primary key or REPLICA IDENTITY USING INDEX, or set "
                     "destination.deletes to position (format version 2) or vector (3)");
  }
  if (layout.identity == RowIdentity::kAppendOnly) return {};
  for (const int column : layout.key_columns) {
    const iceberg::Field& field = layout.schema.fields[static_cast<size_t>(column)];
    const bool floating = field.type.id == iceberg::TypeId::kFloat || field.type.id == iceberg::TypeId::kDouble;
    if (field.type.is_primitive() && !floating) continue;
    return MakeError(ErrorKind::kInvalidConfig,
                     "destination.deletes: equality can't compare the key column \"{}\" ({}); set destination.deletes "
                     "to position (format version 2) or vector (3)",
                     field.name, ToString(field.type));
  }
  return {};
}

Status CheckFormatVersion(const iceberg::TableMetadata& metadata, const TableSettings& settings) {
  if (metadata.format_version <= settings.format_version) return {};
  return MakeError(ErrorKind::kInvalidConfig,
                   "it is of format version {0} and can't go back to {1}; set destination.format_version: {0}",
                   metadata.format_version, settings.format_version);
}

std::vector<iceberg::Update> DeleteFormUpdates(const iceberg::TableMetadata& metadata, const TableSettings& settings) {
  std::vector<iceberg::Update> updates;
  if (metadata.format_version < settings.format_version) {
    updates.push_back(iceberg::UpgradeFormatVersion{settings.format_version});
  }
  if (settings.deletes == DeleteForm::kEquality && !iceberg::FindUnpartitionedSpec(metadata)) {
    updates.push_back(iceberg::AddPartitionSpec{});
  }
  return updates;
}

Status AdoptDeleteForm(catalog::Catalog& catalog, const TableSettings& settings, catalog::LoadedTable& table) {
  const iceberg::CommitRequest request{.table = table.ident,
                                       .requirements = {iceberg::AssertTableUuid{table.metadata->table_uuid}},
                                       .updates = DeleteFormUpdates(*table.metadata, settings)};
  if (request.updates.empty()) return {};
  TRY(auto tables, catalog.CommitTables(std::span(&request, 1)).Context("Iceberg table {}", ToString(table.ident)));
  if (tables.front().metadata->format_version != table.metadata->format_version) {
    LogInfo("upgraded the Iceberg table",
            {{"table", ToString(table.ident)}, {"format_version", int64_t{tables.front().metadata->format_version}}});
  }
  table = std::move(tables.front());
  return {};
}

}  // namespace firn::pipeline
