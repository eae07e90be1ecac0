// From the configuration to the settings of one table.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "config/config.h"
#include "model/source_table.h"
#include "pipeline/shard.h"
#include "pipeline/table_settings.h"

namespace firn::cli {

/// The destination's settings with those of `tables.NAME` over them. kInvalidConfig names the key and its remedy.
Result<pipeline::TableSettings> TableSettingsOf(const config::Config& config, const TableName& table);

/// What is wrong in the section `tables`, whatever the tables are: kInvalidConfig with all of it, one a line, with its
/// place in the file.
Status CheckTableSettings(const config::Config& config);

/// Warnings of tables in that section which are not among those that the pipeline replicates.
std::vector<std::string> UnusedTableSettings(const config::Config& config, const pipeline::Shard& shard,
                                             std::span<const SourceTable> tables);

}  // namespace firn::cli
