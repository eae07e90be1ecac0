// What DataFileWriter and the position delete writer share: a Parquet file with field ids, described by a DataFile.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "firn/result.h"
#include "iceberg/data_file_writer.h"
#include "iceberg/parquet_metrics.h"

namespace firn::iceberg {

struct ParquetFileDetails {
  MetricsOptions metrics;
  std::map<std::string, std::string> key_values;  ///< Beside "iceberg.schema", in the footer.
  std::vector<std::string> delta_columns;         ///< Top-level integer columns to write delta-encoded.
  std::optional<int32_t> sort_order_id;           ///< For the DataFile.
};

/// As DataFileWriter::Open.
Result<std::unique_ptr<DataFileWriter>> OpenParquetFile(storage::FileStore& store, std::string location,
                                                        const Schema& schema, const ParquetOptions& options,
                                                        const ParquetFileDetails& details);

}  // namespace firn::iceberg
