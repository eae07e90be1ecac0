// Position delete files (spec: "Position Delete Files"), each scoped to one data file.
//
//   file_path (id 2147483546) | pos (id 2147483545)      sorted by pos; file_path is the same in every row
#pragma once

#include <string>
#include <unordered_map>

#include "firn/result.h"
#include "iceberg/data_file.h"
#include "iceberg/data_file_writer.h"
#include "iceberg/row_positions.h"
#include "storage/file_store.h"

namespace firn::iceberg {

/// Writes the delete file of `data_file` (its partition and spec are taken over, referenced_data_file is set).
Result<DataFile> WritePositionDeletes(storage::FileStore& store, const std::string& location, const DataFile& data_file,
                                      const RowPositions& positions, Compression compression);

/// The positions that `delete_file` deletes from `data_file_path`: a deletion vector, or a position delete file (one of
/// another writer may hold several data files' positions).
Result<RowPositions> ReadPositionDeletes(storage::FileStore& store, const DataFile& delete_file,
                                         const std::string& data_file_path);

/// The positions of each data file that the position delete file (no vector) deletes from.
using PositionsByFile = std::unordered_map<std::string, RowPositions>;
Result<PositionsByFile> ReadPositionDeletesByFile(storage::FileStore& store, const DataFile& delete_file);

}  // namespace firn::iceberg
