#include "iceberg/data_file_reader.h"

#include <arrow/array.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "base/try.h"
#include "iceberg/row_groups.h"
#include "storage/arrow_error.h"

namespace firn::iceberg {
namespace {

using BatchPtr = std::shared_ptr<arrow::RecordBatch>;

class RowGroupReader : public DataFileReader {
 public:
  RowGroupReader(std::string location, std::shared_ptr<arrow::Schema> schema, std::unique_ptr<RowGroups> groups)
      : location_(std::move(location)), schema_(std::move(schema)), groups_(std::move(groups)) {}

  Result<BatchPtr> Next() override { return NextBatch().Context("reading {}", location_); }

  Result<BatchPtr> ReadRows(std::span<const int64_t> positions) override {
    return ReadPositions(positions).Context("reading {}", location_);
  }

 private:
  Result<BatchPtr> NextBatch() {
    while (true) {
      if (!batches_) {
        if (group_ == groups_->count()) return nullptr;
        TRY(batches_, groups_->Open(group_++));
      }
      TRY(auto batch, batches_());
      if (!batch) {
        batches_ = nullptr;
      } else if (batch->num_rows() > 0) {
        return groups_->Project(batch);
      }
    }
  }

  Result<BatchPtr> ReadPositions(std::span<const int64_t> positions) {
    if (!positions.empty() && (positions.front() < 0 || !std::ranges::is_sorted(positions))) {
      return MakeError(ErrorKind::kInternal, "positions {} to {} are not in order", positions.front(),
                       positions.back());
    }
    std::vector<BatchPtr> parts;
    size_t next = 0;
    int64_t begin = 0;
    for (int group = 0; group < groups_->count() && next < positions.size(); ++group) {
      const int64_t rows = groups_->rows(group);
      if (positions[next] - begin < rows) TRY_VOID(ReadGroup(group, begin, positions, next, parts));
      if (rows != RowGroups::kUnknownRows) begin += rows;
    }
    if (next < positions.size()) {
      return MakeError(ErrorKind::kInternal, "position {} is behind its last row", positions[next]);
    }
    if (parts.empty()) return storage::FromArrow(arrow::RecordBatch::MakeEmpty(schema_), "making an empty batch");
    if (parts.size() == 1) return parts.front();
    return storage::FromArrow(arrow::ConcatenateRecordBatches(parts), "joining rows");
  }

  /// Takes the rows of one group, which begins at `begin`, from positions[next] on; `next` is then past them.
  Status ReadGroup(int group, int64_t begin, std::span<const int64_t> positions, size_t& next,
                   std::vector<BatchPtr>& parts) {
    const int64_t rows_in_group = groups_->rows(group);
    const int64_t first = begin;
    TRY(const auto batches, groups_->Open(group));
    while (next < positions.size() && positions[next] - first < rows_in_group) {
      TRY(auto batch, batches());
      if (!batch) {
        if (rows_in_group == RowGroups::kUnknownRows) return {};
        return MakeError(ErrorKind::kCorrupt, "row group {} ends early", group);
      }
      const int64_t end = begin + batch->num_rows();
      arrow::Int64Builder rows;
      for (; next < positions.size() && positions[next] < end; ++next) {
        TRY_VOID(storage::FromArrow(rows.Append(positions[next] - begin), "taking rows"));
      }
      begin = end;
      if (rows.length() == 0) continue;
      TRY(auto projected, groups_->Project(batch));
      TRY(auto indices, storage::FromArrow(rows.Finish(), "taking rows"));
      TRY(const auto taken, storage::FromArrow(arrow::compute::Take(arrow::Datum(projected), arrow::Datum(indices),
                                                                    arrow::compute::TakeOptions::NoBoundsCheck()),
                                               "taking rows"));
      parts.push_back(taken.record_batch());
    }
    return {};
  }

  const std::string location_;
  const std::shared_ptr<arrow::Schema> schema_;
  const std::unique_ptr<RowGroups> groups_;
  int group_ = 0;               ///< The one that Next opens next.
  RowGroups::Batches batches_;  ///< Those of the group that Next is in.
};

/// Arrow's ORC reader has timestamps in nanoseconds and would wrap those that don't fit: the file's bounds tell.
Status CheckOrcTimestamps(const DataFile& file, const Schema& projection) {
  constexpr int64_t kMicrosMax = std::numeric_limits<int64_t>::max() / 1000;
  for (const Field& field : projection.fields) {
    if (field.type.id != TypeId::kTimestamp && field.type.id != TypeId::kTimestampTz) continue;
    for (const auto* bounds : {&file.lower_bounds, &file.upper_bounds}) {
      const auto bound = bounds->find(field.id);
      int64_t micros = 0;
      if (bound == bounds->end() || bound->second.size() != sizeof(micros)) continue;
      std::memcpy(&micros, bound->second.data(), sizeof(micros));
      if (micros > -kMicrosMax && micros < kMicrosMax) continue;
      return MakeError(
          ErrorKind::kUnsupported,
          "column {} has timestamps before 1677 or after 2262, which firn can't read from ORC; rewrite the "
          "file as Parquet",
          field.name);
    }
  }
  return {};
}

Result<std::unique_ptr<RowGroups>> OpenRowGroups(storage::FileStore& store, const DataFile& file,
                                                 const Schema& projection, const ColumnContext& context) {
  if (file.file_format == "PARQUET") return OpenParquetRowGroups(store, file, projection, context);
  if (file.file_format == "AVRO") return OpenAvroRowGroups(store, file, projection, context);
  if (file.file_format != "ORC") {
    return MakeError(ErrorKind::kUnsupported, "its format is {}: firn reads Parquet, Avro and ORC", file.file_format);
  }
  TRY_VOID(CheckOrcTimestamps(file, projection));
  return OpenOrcRowGroups(store, file, projection, context);
}

}  // namespace

Result<std::unique_ptr<DataFileReader>> DataFileReader::Open(storage::FileStore& store, const DataFile& file,
                                                             const Schema& projection, const ColumnContext& context) {
  TRY(auto schema, ToArrowSchema(projection));
  TRY(auto groups, OpenRowGroups(store, file, projection, context).Context("reading {}", file.file_path));
  return std::make_unique<RowGroupReader>(file.file_path, std::move(schema), std::move(groups));
}

Result<std::unique_ptr<DataFileReader>> DataFileReader::Open(storage::FileStore& store, const std::string& location,
                                                             const Schema& projection) {
  DataFile file{.file_path = location};
  if (location.ends_with(".avro")) file.file_format = "AVRO";
  if (location.ends_with(".orc")) file.file_format = "ORC";
  return Open(store, file, projection);
}

Result<std::unique_ptr<DataFileReader>> OpenDataFile(storage::FileStore& store, const TableMetadata& metadata,
                                                     const DataFile& file, const Schema& projection) {
  TRY(const ColumnContext context, ColumnContextOf(metadata, file));
  return DataFileReader::Open(store, file, projection, context);
}

}  // namespace firn::iceberg
