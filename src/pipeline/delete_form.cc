#include "pipeline/delete_form.h"

#include <optional>
#include <utility>

#include "base/try.h"
#include "catalog/commit_loop.h"
#include "iceberg/equality_deletes.h"
#include "observe/log.h"
#include "pipeline/progress.h"
#include "pipeline/schema_change.h"

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
    updates.emplace_back(iceberg::UpgradeFormatVersion{settings.format_version});
  }
  if (settings.deletes == DeleteForm::kEquality && !iceberg::FindUnpartitionedSpec(metadata)) {
    updates.emplace_back(iceberg::AddPartitionSpec{});
  }
  return updates;
}

Status AdoptDeleteForm(catalog::Catalog& catalog, const TableSettings& settings, catalog::LoadedTable& table,
                       const RetryPolicy& retry, std::stop_token stop, Metrics* metrics) {
  const iceberg::TableMetadataPtr before = table.metadata;
  if (DeleteFormUpdates(*before, settings).empty()) return {};
  const auto build = [&](const catalog::LoadedTable& fresh) -> Result<std::optional<iceberg::CommitRequest>> {
    TRY_VOID(CheckOnlyWriter(*before, *fresh.metadata));
    TRY_VOID(CheckPlannedOn(*before, *fresh.metadata));
    auto updates = DeleteFormUpdates(*fresh.metadata, settings);
    if (updates.empty()) return std::nullopt;
    return iceberg::CommitRequest{.table = fresh.ident,
                                  .requirements = {iceberg::AssertTableUuid{fresh.metadata->table_uuid}},
                                  .updates = std::move(updates)};
  };
  TRY(table, catalog::CommitMetadata(catalog, table, build, retry, std::move(stop), metrics)
                 .Context("Iceberg table {}", ToString(table.ident)));
  // What a catalog makes the commit on itself, nobody has looked at before.
  TRY_VOID(CheckOnlyWriter(*before, *table.metadata).Context("Iceberg table {}", ToString(table.ident)));
  if (table.metadata->format_version != before->format_version) {
    LogInfo("upgraded the Iceberg table",
            {{"table", ToString(table.ident)}, {"format_version", int64_t{table.metadata->format_version}}});
  }
  return {};
}

}  // namespace firn::pipeline
