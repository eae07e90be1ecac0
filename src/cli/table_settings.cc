#include "cli/table_settings.h"

#include "base/try.h"

namespace firn::cli {

namespace {

Result<pipeline::ChangeMode> ChangeModeOf(const config::CdcConfig& cdc) {
  if (cdc.mode == "mirror") {
    return cdc.enable_deletes ? pipeline::ChangeMode::kMirror : pipeline::ChangeMode::kSoftDelete;
  }
  if (!cdc.enable_deletes) {
    return MakeError(ErrorKind::kInvalidConfig,
                     "cdc.enable_deletes: false goes with cdc.mode: mirror; in {} tables deleted rows stay anyway",
                     cdc.mode);
  }
  return cdc.mode == "history" ? pipeline::ChangeMode::kHistory : pipeline::ChangeMode::kAppend;
}

}  // namespace

Result<pipeline::TableSettings> TableSettingsOf(const config::Config& config, const TableName& table) {
  pipeline::TableSettings settings;
  settings.compression_codec = config.writer.compression == "none" ? "uncompressed" : config.writer.compression;
  TRY(settings.mode, ChangeModeOf(config.cdc));
  settings.track_changes = config.cdc.track_changes;
  const std::string name = ToString(table);
  const auto own = config.tables.find(name);
  if (own == config.tables.end()) return settings;
  if (own->second.partition_by) {
    settings.partition_by.emplace();
    for (const std::string& text : *own->second.partition_by) {
      TRY(settings.partition_by->emplace_back(),
          pipeline::ParsePartitionTerm(text).Context("tables.{}.partition_by", name));
    }
  }
  return settings;
}

}  // namespace firn::cli
