#include "iceberg/position_deletes.h"

#include <arrow/array.h>
#include <arrow/array/builder_binary.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "base/try.h"
#include "iceberg/data_file_reader.h"
#include "iceberg/deletion_vector.h"
#include "iceberg/parquet_file_writer.h"
#include "storage/arrow_error.h"

namespace firn::iceberg {
namespace {

// Spec: "Reserved Field IDs".
constexpr FieldId kFilePathId = 2147483546;
constexpr FieldId kPosId = 2147483545;
constexpr size_t kBatchRows = 64 << 10;

Field FilePathField() {
  return {.id = kFilePathId,
          .name = "file_path",
          .required = true,
          .type = Type::Primitive(TypeId::kString),
          .doc = "Path of a file in which a deleted row is stored"};
}

Field PosField() {
  return {.id = kPosId,
          .name = "pos",
          .required = true,
          .type = Type::Primitive(TypeId::kLong),
          .doc = "Ordinal position of a deleted row in the data file"};
}

/// A column of `rows` times `value`, as a dictionary: the Parquet writer never looks at the value again.
Result<std::shared_ptr<arrow::Array>> RepeatedString(const std::string& value, size_t rows) {
  arrow::StringBuilder builder;
  TRY_VOID(storage::FromArrow(builder.Append(value), "making a column of paths"));
  TRY(auto dictionary, storage::FromArrow(builder.Finish(), "making a column of paths"));
  auto zeros = arrow::Buffer::FromVector(std::vector<int32_t>(rows));
  auto indices = std::make_shared<arrow::Int32Array>(static_cast<int64_t>(rows), std::move(zeros));
  return storage::FromArrow(
      arrow::DictionaryArray::FromArrays(arrow::dictionary(arrow::int32(), arrow::utf8()), indices, dictionary),
      "making a column of paths");
}

/// Do all rows of `delete_file` belong to the data file? Its own reference says so, or bounds that leave no other path.
bool IsScopedTo(const DataFile& delete_file, const std::string& data_file_path) {
  if (delete_file.referenced_data_file) return *delete_file.referenced_data_file == data_file_path;
  const auto lower = delete_file.lower_bounds.find(kFilePathId);
  const auto upper = delete_file.upper_bounds.find(kFilePathId);
  return lower != delete_file.lower_bounds.end() && upper != delete_file.upper_bounds.end() &&
         lower->second == data_file_path && upper->second == data_file_path;
}

/// Adds the positions of the rows whose path is `data_file_path`.
void AddMatching(const arrow::StringArray& paths, const int64_t* positions, const std::string& data_file_path,
                 RowPositions& out) {
  for (int64_t i = 0; i < paths.length(); ++i) {
    if (paths.GetView(i) == data_file_path) out.add(static_cast<uint64_t>(positions[i]));
  }
}

}  // namespace

Result<DataFile> WritePositionDeletes(storage::FileStore& store, const std::string& location, const DataFile& data_file,
                                      const RowPositions& positions, Compression compression) {
  if (positions.isEmpty()) {
    return MakeError(ErrorKind::kInternal, "writing {}: no position to delete from {}", location, data_file.file_path);
  }
  const Schema schema{.fields = {FilePathField(), PosField()}};
  // Bounds of file_path stay whole: from them readers see which data file this is about. Counts are left out, as Java
  // leaves them out.
  const ParquetFileDetails details{.metrics = {.truncate_length = std::nullopt, .counts = false},
                                   .key_values = {{"delete-type", "position"}},
                                   .delta_columns = {"pos"}};
  TRY(auto writer, OpenParquetFile(store, location, schema, {.compression = compression}, details));
  const size_t batch_rows = std::min<size_t>(positions.cardinality(), kBatchRows);
  TRY(const auto paths, RepeatedString(data_file.file_path, batch_rows));
  TRY(const auto arrow_schema, ToArrowSchema(schema));
  std::vector<int64_t> batch;
  const auto write = [&]() -> Status {
    const auto rows = static_cast<int64_t>(batch.size());
    auto column = std::make_shared<arrow::Int64Array>(rows, arrow::Buffer::FromVector(std::exchange(batch, {})));
    return writer->Write(*arrow::RecordBatch::Make(arrow_schema, rows, {paths->Slice(0, rows), std::move(column)}));
  };
  for (const uint64_t position : positions) {
    batch.push_back(static_cast<int64_t>(position));
    if (batch.size() == batch_rows) TRY_VOID(write());
  }
  if (!batch.empty()) TRY_VOID(write());
  TRY(DataFile file, writer->Close());
  file.content = FileContent::kPositionDeletes;
  file.partition_spec_id = data_file.partition_spec_id;
  file.partition = data_file.partition;
  file.referenced_data_file = data_file.file_path;
  return file;
}

Result<RowPositions> ReadPositionDeletes(storage::FileStore& store, const DataFile& delete_file,
                                         const std::string& data_file_path) {
  if (IsDeletionVector(delete_file)) return ReadDeletionVector(store, delete_file);
  const bool scoped = IsScopedTo(delete_file, data_file_path);
  Schema projection{.fields = {PosField()}};
  if (!scoped) projection.fields.push_back(FilePathField());
  TRY(auto reader, DataFileReader::Open(store, delete_file.file_path, projection));
  RowPositions positions;
  while (true) {
    TRY(const auto batch, reader->Next());
    if (!batch) return positions;
    const auto& column = static_cast<const arrow::Int64Array&>(*batch->column(0));
    const int64_t* values = column.raw_values();
    if (column.null_count() > 0 || std::any_of(values, values + column.length(), [](int64_t p) { return p < 0; })) {
      return MakeError(ErrorKind::kCorrupt, "reading {}: it holds a position that is none", delete_file.file_path);
    }
    if (scoped) {
      positions.addMany(static_cast<size_t>(column.length()), reinterpret_cast<const uint64_t*>(values));
    } else {
      AddMatching(static_cast<const arrow::StringArray&>(*batch->column(1)), values, data_file_path, positions);
    }
  }
}

}  // namespace firn::iceberg
