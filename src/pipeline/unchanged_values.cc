#include "pipeline/unchanged_values.h"

#include <arrow/api.h>
#include <arrow/compute/api.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/try.h"
#include "iceberg/data_file_reader.h"
#include "storage/arrow_error.h"

namespace firn::pipeline {
namespace {

constexpr std::string_view kDoing = "gathering unchanged values";

/// Where one unchanged value is: a row of the batch, or the table's row of removed_keys[removed].
struct ValueSource {
  int64_t row;
  int column;
  PreviousImage image;
};

/// Follows a row's previous images to the nearest one that has the column's value.
Result<PreviousImage> FindImage(const FoldedBatch& folded, const std::set<std::pair<int64_t, int>>& unchanged,
                                int64_t row, int column) {
  PreviousImage image = folded.previous[row];
  // Each step goes to an earlier row, so that the walk ends.
  while (image.row >= 0 && unchanged.contains({image.row, column})) image = folded.previous[image.row];
  if (image.row < 0 && image.removed < 0) {
    return MakeError(ErrorKind::kCorrupt, "row {} of the batch keeps a value of a row that is not known", row);
  }
  return image;
}

/// The table's rows that hold values, read from their files; `ordinal` says where in the result each is.
Result<std::shared_ptr<arrow::Table>> ReadRemovedRows(storage::FileStore& store, const iceberg::Schema& projection,
                                                      std::span<const std::optional<index::RowPosition>> removed,
                                                      const std::set<int32_t>& wanted,
                                                      const std::function<Result<std::string>(uint32_t)>& location,
                                                      std::map<int32_t, int64_t>& ordinal) {
  std::map<uint32_t, std::vector<std::pair<uint32_t, int32_t>>> by_file;  // file → (row, index into removed)
  for (const int32_t i : wanted) {
    if (!removed[i]) {
      return MakeError(ErrorKind::kCorrupt,
                       "an UPDATE left a value unchanged whose row is not in the table; copy the table again "
                       "(firn resync), or set REPLICA IDENTITY FULL on it");
    }
    by_file[removed[i]->file].emplace_back(removed[i]->row, i);
  }
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  int64_t next = 0;
  for (auto& [file, rows] : by_file) {
    std::ranges::sort(rows);
    std::vector<int64_t> positions;
    for (const auto& [row, i] : rows) {
      positions.push_back(row);
      ordinal[i] = next++;
    }
    TRY(const std::string path, location(file));
    TRY(auto reader, iceberg::DataFileReader::Open(store, path, projection));
    TRY(auto batch, reader->ReadRows(positions).Context("reading unchanged values from {}", path));
    batches.push_back(std::move(batch));
  }
  TRY(auto arrow_schema, iceberg::ToArrowSchema(projection));
  if (!batches.empty()) arrow_schema = batches.front()->schema();
  return storage::FromArrow(arrow::Table::FromRecordBatches(arrow_schema, batches), "{}", kDoing);
}

}  // namespace

Result<std::shared_ptr<arrow::RecordBatch>> FillUnchangedValues(
    storage::FileStore& store, const iceberg::Schema& schema, const encode::EncodedRows& rows,
    const FoldedBatch& folded, std::span<const std::optional<index::RowPosition>> removed,
    const std::function<Result<std::string>(uint32_t)>& location) {
  std::set<std::pair<int64_t, int>> unchanged;
  for (const encode::UnchangedValue& value : rows.unchanged) unchanged.emplace(value.row, value.column);

  std::vector<ValueSource> sources;
  std::set<int> columns;
  std::set<int32_t> wanted;
  for (const auto& [row, column] : unchanged) {
    if (!std::ranges::binary_search(folded.live_rows, static_cast<int32_t>(row))) continue;
    TRY(const PreviousImage image, FindImage(folded, unchanged, row, column));
    sources.push_back({row, column, image});
    columns.insert(column);
    if (image.row < 0) wanted.insert(image.removed);
  }
  if (sources.empty()) return rows.batch;

  iceberg::Schema projection{.schema_id = schema.schema_id};
  std::map<int, int> fetched_column;  // column of the batch → column of the fetched rows
  for (const int column : columns) {
    fetched_column[column] = static_cast<int>(projection.fields.size());
    projection.fields.push_back(schema.fields[column]);
  }
  std::map<int32_t, int64_t> ordinal;
  TRY(auto fetched, ReadRemovedRows(store, projection, removed, wanted, location, ordinal));

  // Each column with unchanged values becomes a choice among its own rows and the fetched ones behind them.
  const int64_t row_count = rows.batch->num_rows();
  std::shared_ptr<arrow::RecordBatch> filled = rows.batch;
  for (const int column : columns) {
    arrow::Int64Builder choice;
    TRY_VOID(storage::FromArrow(choice.Reserve(row_count), "{}", kDoing));
    std::vector<int64_t> indices(row_count);
    for (int64_t row = 0; row < row_count; ++row) indices[row] = row;
    for (const ValueSource& source : sources) {
      if (source.column != column) continue;
      indices[source.row] = source.image.row >= 0 ? source.image.row : row_count + ordinal.at(source.image.removed);
    }
    TRY_VOID(storage::FromArrow(choice.AppendValues(indices), "{}", kDoing));
    TRY(auto index_array, storage::FromArrow(choice.Finish(), "{}", kDoing));
    arrow::ArrayVector chunks{rows.batch->column(column)};
    const auto& fetched_chunks = fetched->column(fetched_column[column])->chunks();
    chunks.insert(chunks.end(), fetched_chunks.begin(), fetched_chunks.end());
    TRY(auto all, storage::FromArrow(arrow::Concatenate(chunks), "{}", kDoing));
    TRY(auto taken, storage::FromArrow(arrow::compute::Take(*all, *index_array), "{}", kDoing));
    TRY(filled,
        storage::FromArrow(filled->SetColumn(column, rows.batch->schema()->field(column), taken), "{}", kDoing));
  }
  return filled;
}

}  // namespace firn::pipeline
