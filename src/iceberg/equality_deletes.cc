#include "iceberg/equality_deletes.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/try.h"
#include "iceberg/parquet_file_writer.h"

namespace firn::iceberg {

std::optional<int32_t> FindUnpartitionedSpec(const TableMetadata& metadata) {
  const auto spec =
      std::ranges::find_if(metadata.partition_specs, [](const PartitionSpec& s) { return s.fields.empty(); });
  return spec == metadata.partition_specs.end() ? std::nullopt : std::optional(spec->spec_id);
}

Result<EqualityDeleteWriter> EqualityDeleteWriter::Open(storage::FileStore& store, std::string location,
                                                        const Schema& keys, const ParquetOptions& options) {
  std::vector<int32_t> ids;
  for (const Field& field : keys.fields) ids.push_back(field.id);
  const ParquetFileDetails details{
      .key_values = {{"delete-type", "equality"}, {"delete-field-ids", fmt::format("{}", fmt::join(ids, ", "))}},
      .sort_order_id = 0};
  TRY(auto file, OpenParquetFile(store, std::move(location), keys, options, details));
  return EqualityDeleteWriter(std::move(file), std::move(ids));
}

Result<DataFile> EqualityDeleteWriter::Close(int32_t unpartitioned_spec_id) {
  TRY(DataFile file, file_->Close());
  file.content = FileContent::kEqualityDeletes;
  file.equality_ids = equality_ids_;
  file.partition_spec_id = unpartitioned_spec_id;
  return file;
}

}  // namespace firn::iceberg
