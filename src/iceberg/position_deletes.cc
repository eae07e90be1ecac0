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
#include "iceberg/reserved_fields.h"
#include "storage/arrow_error.h"

namespace firn::iceberg {
namespace {

constexpr size_t kBatchRows = 64 << 10;
/// A page of so few rows gets no smaller, and making a compressor's state takes longer than all else of the file.
constexpr uint64_t kCompressedMin = 256;

Field DeletePathField() {
  return {.id = kDeletePathFieldId,
          .name = "file_path",
          .required = true,
          .type = Type::Primitive(TypeId::kString),
          .doc = "Path of a file in which a deleted row is stored"};
}

Field DeletePosField() {
  return {.id = kDeletePosFieldId,
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

/// Adds the positions of the rows whose path is `data_file_path`.
void AddMatching(const arrow::StringArray& paths, const int64_t* positions, const std::string& data_file_path,
                 RowPositions& out) {
  for (int64_t i = 0; i < paths.length(); ++i) {
    if (paths.GetView(i) == data_file_path) out.add(static_cast<uint64_t>(positions[i]));
  }
}

const int64_t* PositionsOf(const arrow::RecordBatch& batch) {
  return static_cast<const arrow::Int64Array&>(*batch.column(0)).raw_values();
}

const arrow::StringArray& PathsOf(const arrow::RecordBatch& batch) {
  return static_cast<const arrow::StringArray&>(*batch.column(1));
}

/// Reads a delete file; the first column of `projection` is pos.
template <typename Visit>
Status ForEachBatch(storage::FileStore& store, const DataFile& delete_file, const Schema& projection, Visit visit) {
  TRY(auto reader, DataFileReader::Open(store, delete_file, projection));
  while (true) {
    TRY(const auto batch, reader->Next());
    if (!batch) return {};
    const int64_t* values = PositionsOf(*batch);
    if (std::ranges::any_of(batch->columns(), [](const auto& column) { return column->null_count() > 0; }) ||
        std::any_of(values, values + batch->num_rows(), [](int64_t position) { return position < 0; })) {
      return MakeError(ErrorKind::kCorrupt, "reading {}: it holds a position that is none", delete_file.file_path);
    }
    visit(*batch);
  }
}

}  // namespace

Result<DataFile> WritePositionDeletes(storage::FileStore& store, const std::string& location, const DataFile& data_file,
                                      const RowPositions& positions, Compression compression) {
  if (positions.isEmpty()) {
    return MakeError(ErrorKind::kInternal, "writing {}: no position to delete from {}", location, data_file.file_path);
  }
  const Schema schema{.fields = {DeletePathField(), DeletePosField()}};
  // Bounds of file_path stay whole: from them readers see which data file this is about. Counts are left out, as Java
  // leaves them out.
  const ParquetFileDetails details{.metrics = {.truncate_length = std::nullopt, .counts = false},
                                   .key_values = {{"delete-type", "position"}},
                                   .delta_columns = {"pos"}};
  if (positions.cardinality() < kCompressedMin) compression = Compression::kNone;
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
  RowPositions positions;
  if (ReferencedDataFile(delete_file) != data_file_path) {
    TRY_VOID(ForEachBatch(
        store, delete_file, {.fields = {DeletePosField(), DeletePathField()}},
        [&](const auto& batch) { AddMatching(PathsOf(batch), PositionsOf(batch), data_file_path, positions); }));
    return positions;
  }
  TRY_VOID(ForEachBatch(store, delete_file, {.fields = {DeletePosField()}}, [&](const auto& batch) {
    positions.addMany(static_cast<size_t>(batch.num_rows()), reinterpret_cast<const uint64_t*>(PositionsOf(batch)));
  }));
  return positions;
}

Result<PositionsByFile> ReadPositionDeletesByFile(storage::FileStore& store, const DataFile& delete_file) {
  PositionsByFile positions;
  TRY_VOID(ForEachBatch(store, delete_file, {.fields = {DeletePosField(), DeletePathField()}}, [&](const auto& batch) {
    const arrow::StringArray& paths = PathsOf(batch);
    const int64_t* values = PositionsOf(batch);
    RowPositions* of_path = nullptr;  // Rows are sorted by path.
    for (int64_t i = 0; i < paths.length(); ++i) {
      if (i == 0 || paths.GetView(i) != paths.GetView(i - 1)) of_path = &positions[paths.GetString(i)];
      of_path->add(static_cast<uint64_t>(values[i]));
    }
  }));
  return positions;
}

}  // namespace firn::iceberg
