// From the configuration to the settings of one table.
#pragma once

#include "config/config.h"
#include "pipeline/table_settings.h"

namespace firn::cli {

/// The destination's settings with those of `tables.NAME` over them. kInvalidConfig names the key and its remedy.
Result<pipeline::TableSettings> TableSettingsOf(const config::Config& config, const TableName& table);

}  // namespace firn::cli
