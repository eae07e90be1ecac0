#include "cli/table_settings.h"

namespace firn::cli {

Result<pipeline::TableSettings> TableSettingsOf(const config::Config& config, const TableName&) {
  pipeline::TableSettings settings;
  settings.compression_codec = config.writer.compression == "none" ? "uncompressed" : config.writer.compression;
  return settings;
}

}  // namespace firn::cli
