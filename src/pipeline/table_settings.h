// What the configuration says of one table, resolved: defaults, the destination's settings and the table's own. Plain
// data; the command line makes it from the configuration, an application gives its own.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "encode/type_mapping.h"
#include "model/source_table.h"
#include "pipeline/computed_columns.h"
#include "pipeline/partition_by.h"
#include "pipeline/sort_by.h"
#include "pipeline/table_layout.h"

namespace firn::pipeline {

/// What becomes of a column whose type changed to one that Iceberg can't promote to.
enum class TypeChangePolicy : uint8_t {
  kRecopy,    ///< A new field of the same name takes its place, and the table is copied again.
  kNewField,  ///< The old field stays, as "amount_old1"; the new one has the values from now on
              ///< (docs/schema_changes.md).
};

struct TableSettings {
  std::string compression_codec = "zstd";  ///< In Iceberg's words ("zstd", "uncompressed"), for the table property.
  encode::ColumnSettings columns;          ///< Types and policies of columns, where not those of encode's table.
  ChangeMode mode = ChangeMode::kMirror;
  bool track_changes = false;  ///< Each row tells its operation, LSN and commit time, in every mode (kAppend: always).
  /// How the table's files are divided from now on; nothing: as it is, which is not at all for a new table.
  std::optional<std::vector<PartitionTerm>> partition_by;
  /// How rows are sorted whenever files are rewritten; nothing: as the table says, which is not at all for a new one.
  std::optional<std::vector<SortTerm>> sort_by;
  std::vector<ComputedColumn> computed;  ///< Columns that firn makes of the source's.
  TypeChangePolicy type_changes = TypeChangePolicy::kRecopy;
  int32_t format_version = 2;  ///< Of a new table; an older one is upgraded.
  DeleteForm deletes = DeleteForm::kPosition;
};

/// Gives the settings of a table; kInvalidConfig names the key that can't be used for it. Thread-safe.
using TableSettingsOf = std::function<Result<TableSettings>(const TableName&)>;

}  // namespace firn::pipeline
