#include "cli/table_settings.h"

#include <utility>

#include "base/try.h"

namespace firn::cli {

namespace {

/// `own`: the table's mode, where it has one of its own.
Result<pipeline::ChangeMode> ChangeModeOf(const config::CdcConfig& cdc, const std::string& own) {
  const std::string& mode = own.empty() ? cdc.mode : own;
  if (mode == "mirror") {
    return cdc.enable_deletes ? pipeline::ChangeMode::kMirror : pipeline::ChangeMode::kSoftDelete;
  }
  if (!cdc.enable_deletes && own.empty()) {
    return MakeError(ErrorKind::kInvalidConfig,
                     "cdc.enable_deletes: false goes with cdc.mode: mirror; in {} tables deleted rows stay anyway",
                     mode);
  }
  return mode == "history" ? pipeline::ChangeMode::kHistory : pipeline::ChangeMode::kAppend;
}

/// Types and policies of the table's columns.
Result<encode::ColumnSettings> ColumnSettingsOf(const config::Config& config, const std::string& name) {
  encode::ColumnSettings settings;
  TRY(settings.policy,
      encode::ParseValuePolicy(config.destination.unrepresentable).Context("destination.unrepresentable"));
  const auto found = config.tables.find(name);
  if (found == config.tables.end()) return settings;
  const config::TableConfig& table = found->second;
  if (!table.unrepresentable.empty()) {
    TRY(settings.policy, encode::ParseValuePolicy(table.unrepresentable).Context("tables.{}.unrepresentable", name));
  }
  for (const auto& [column, text] : table.unrepresentable_columns) {
    TRY(settings.column_policies[column],
        encode::ParseValuePolicy(text).Context("tables.{}.unrepresentable_columns: {}", name, column));
  }
  for (const auto& [column, text] : table.columns) {
    auto type = iceberg::ParseType(text);
    if (!type) {
      return MakeError(ErrorKind::kInvalidConfig,
                       "tables.{}.columns: {}: {}; write an Iceberg type, as in string, long, decimal(38,9), "
                       "list<string> or variant",
                       name, column, type.error().message());
    }
    if (type->id == iceberg::TypeId::kVariant && config.destination.format_version < 3) {
      return MakeError(ErrorKind::kInvalidConfig,
                       "tables.{}.columns: {}: the type variant needs destination.format_version: 3", name, column);
    }
    settings.types.emplace(column, std::move(*type));
  }
  return settings;
}

}  // namespace

Result<pipeline::TableSettings> TableSettingsOf(const config::Config& config, const TableName& table) {
  pipeline::TableSettings settings;
  settings.compression_codec = config.writer.compression == "none" ? "uncompressed" : config.writer.compression;
  const std::string name = ToString(table);
  const auto own = config.tables.find(name);
  TRY(settings.mode, ChangeModeOf(config.cdc, own == config.tables.end() ? "" : own->second.cdc_mode));
  settings.track_changes = config.cdc.track_changes;
  if (config.destination.type_changes == "new_field") settings.type_changes = pipeline::TypeChangePolicy::kNewField;
  settings.format_version = config.destination.format_version;
  settings.deletes =
      config.destination.deletes == "equality" ? pipeline::DeleteForm::kEquality : pipeline::DeleteForm::kPosition;
  TRY(settings.columns, ColumnSettingsOf(config, name));
  if (own == config.tables.end()) return settings;
  if (own->second.partition_by) {
    settings.partition_by.emplace();
    for (const std::string& text : *own->second.partition_by) {
      TRY(settings.partition_by->emplace_back(),
          pipeline::ParsePartitionTerm(text).Context("tables.{}.partition_by", name));
    }
  }
  if (own->second.sort_by) {
    settings.sort_by.emplace();
    for (const std::string& text : *own->second.sort_by) {
      TRY(settings.sort_by->emplace_back(), pipeline::ParseSortTerm(text).Context("tables.{}.sort_by", name));
    }
  }
  for (const auto& [column, expression] : own->second.computed) {
    TRY(settings.computed.emplace_back(),
        pipeline::ParseComputedColumn(column, expression).Context("tables.{}.computed: {}", name, column));
  }
  return settings;
}

}  // namespace firn::cli
