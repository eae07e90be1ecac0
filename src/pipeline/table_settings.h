// What the configuration says of one table, resolved: defaults, the destination's settings and the table's own. Plain
// data; the command line makes it from the configuration, an application gives its own.
#pragma once

#include <functional>
#include <string>

#include "encode/type_mapping.h"
#include "model/source_table.h"
#include "pipeline/table_layout.h"

namespace firn::pipeline {

struct TableSettings {
  std::string compression_codec = "zstd";  ///< In Iceberg's words ("zstd", "uncompressed"), for the table property.
  encode::TypeOverrides types;             ///< Columns that are stored as another type than their own.
  ChangeMode mode = ChangeMode::kMirror;
  bool track_changes = false;  ///< Each row tells its operation, LSN and commit time, in every mode (kAppend: always).
};

/// Gives the settings of a table; kInvalidConfig names the key that can't be used for it. Thread-safe.
using TableSettingsOf = std::function<Result<TableSettings>(const TableName&)>;

}  // namespace firn::pipeline
