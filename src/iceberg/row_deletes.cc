#include "iceberg/row_deletes.h"

#include <utility>

#include "iceberg/deletion_vector.h"
#include "iceberg/position_deletes.h"

namespace firn::iceberg {

Result<DataFile> WriteRowDeletes(storage::FileStore& store, int32_t format_version, const DeleteFileName& name,
                                 const DataFile& data_file, RowPositions positions, Compression compression) {
  if (format_version >= 3) return WriteDeletionVector(store, name("-deletes.puffin"), data_file, std::move(positions));
  return WritePositionDeletes(store, name("-deletes.parquet"), data_file, positions, compression);
}

}  // namespace firn::iceberg
