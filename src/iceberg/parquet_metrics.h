// A data file's metrics from its Parquet footer, as Java's ParquetMetrics has them: sizes and counts of every leaf
// column, bounds of the columns that are not inside a list or map. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "iceberg/data_file.h"
#include "iceberg/schema.h"

namespace parquet {
class FileMetaData;
}

namespace firn::iceberg {

struct MetricsOptions {
  /// Strings and binaries longer than this many characters or bytes are cut in bounds; nothing: never.
  std::optional<size_t> truncate_length = 16;
  /// Value, null and NaN counts. Java leaves them out of position delete files.
  bool counts = true;
};

/// Fills record_count, column_sizes, the counts, the bounds and split_offsets. `nan_counts`: of float and double
/// columns, which a footer doesn't tell. NaN is never a bound.
void FillMetrics(const parquet::FileMetaData& footer, const Schema& schema,
                 const std::map<FieldId, int64_t>& nan_counts, const MetricsOptions& options, DataFile& file);

}  // namespace firn::iceberg
