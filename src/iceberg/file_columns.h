// The columns that a data file declares, as far as finding fields in it needs: names, ids and nesting.
#pragma once

#include <arrow/type_fwd.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "iceberg/name_mapping.h"
#include "iceberg/type.h"

namespace firn::iceberg {

struct FileColumn {
  std::string name;
  std::optional<FieldId> id;
  /// A Parquet INT96: an instant, although Arrow gives it no time zone.
  bool is_int96 = false;
  std::vector<FileColumn> children;  ///< Of a struct, its fields; of a list, its element; of a map, key and value.
};

/// The columns of an Arrow schema whose fields have their ids in the metadata key `id_key`.
std::vector<FileColumn> FileColumnsOf(const arrow::FieldVector& fields, const std::string& id_key);

/// Has any column an id? Then those without one are none of the table's.
bool HaveIds(const std::vector<FileColumn>& columns);

/// Gives columns of a file without ids theirs.
void AssignIds(const NameMapping& mapping, std::vector<FileColumn>& columns);

}  // namespace firn::iceberg
