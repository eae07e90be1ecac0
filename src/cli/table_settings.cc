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

Result<pipeline::TableSettings> TableSettingsOf(const config::Config& config, const TableName&) {
  pipeline::TableSettings settings;
  settings.compression_codec = config.writer.compression == "none" ? "uncompressed" : config.writer.compression;
  TRY(settings.mode, ChangeModeOf(config.cdc));
  settings.track_changes = config.cdc.track_changes;
  return settings;
}

}  // namespace firn::cli
