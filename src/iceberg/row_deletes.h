// Deletes by place in the form that the table's format version adds: vectors in v3, position delete files before.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "firn/result.h"
#include "iceberg/data_file.h"
#include "iceberg/data_file_writer.h"
#include "iceberg/row_positions.h"
#include "storage/file_store.h"

namespace firn::iceberg {

/// Gives the location of the next file with this ending.
using DeleteFileName = std::function<std::string(std::string_view ending)>;

/// Writes the one delete file of `data_file`: its partition and spec are taken over, referenced_data_file is set.
Result<DataFile> WriteRowDeletes(storage::FileStore& store, int32_t format_version, const DeleteFileName& name,
                                 const DataFile& data_file, RowPositions positions, Compression compression);

}  // namespace firn::iceberg
