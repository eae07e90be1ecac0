#include "iceberg/data_file_reader.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>

#include <algorithm>
#include <cstring>
#include <iterator>
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
  RowGroupReader(std::string location, std::unique_ptr<RowGroups> groups)
      : location_(std::move(location)), groups_(std::move(groups)) {}

  Result<BatchPtr> Next() override { return NextBatch().Context("reading {}", location_); }

  Status ReadRows(std::span<const int64_t> positions, const RowsSink& sink) override {
    return ReadPositions(positions, sink).Context("reading {}", location_);
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

  Status ReadPositions(std::span<const int64_t> positions, const RowsSink& sink) {
    if (!positions.empty() && (positions.front() < 0 || !std::ranges::is_sorted(positions))) {
      return MakeError(ErrorKind::kInternal, "positions {} to {} are not in order", positions.front(),
                       positions.back());
    }
    size_t next = 0;
    int64_t begin = 0;
    for (int group = 0; group < groups_->count() && next < positions.size(); ++group) {
      const int64_t rows = groups_->rows(group);
      if (positions[next] - begin < rows) TRY_VOID(ReadGroup(group, begin, positions, next, sink));
      if (rows != RowGroups::kUnknownRows) begin += rows;
    }
    if (next < positions.size()) {
      return MakeError(ErrorKind::kInternal, "position {} is behind its last row", positions[next]);
    }
    return {};
  }

  /// Gives the rows of one group, which begins at `begin`, from positions[next] on; `next` is then past them.
  Status ReadGroup(int group, int64_t begin, std::span<const int64_t> positions, size_t& next, const RowsSink& sink) {
    const int64_t rows_in_group = groups_->rows(group);
    const int64_t group_begin = begin;
    TRY(const auto batches, groups_->Open(group));
    while (next < positions.size() && positions[next] - group_begin < rows_in_group) {
      TRY(auto batch, batches());
      if (!batch) {
        if (rows_in_group == RowGroups::kUnknownRows) return {};
        return MakeError(ErrorKind::kCorrupt, "row group {} ends early", group);
      }
      const int64_t end = begin + batch->num_rows();
      std::vector<int64_t> rows;
      const size_t first = next;
      for (; next < positions.size() && positions[next] < end; ++next) rows.push_back(positions[next] - begin);
      begin = end;
      if (rows.empty()) continue;
      TRY(batch, groups_->Project(batch));
      TRY_VOID(Give(std::move(batch), rows, first, sink));
    }
    return {};
  }

  /// Gives rows of a batch; `first` is the index of rows[0] among all positions.
  static Status Give(BatchPtr batch, std::span<const int64_t> rows, size_t first, const RowsSink& sink) {
    const bool repeated = std::ranges::adjacent_find(rows) != rows.end();
    if (!repeated && std::ssize(rows) == batch->num_rows()) return sink(batch, first);
    while (!rows.empty()) {
      // Without repetitions they are no larger than the batch.
      size_t count = repeated ? 0 : rows.size();
      for (int64_t bytes = 0; count < rows.size() && bytes < kBatchBytes; ++count) {
        bytes += RowBytes(*batch, rows[count]);
      }
      const arrow::Int64Array indices(static_cast<int64_t>(count), arrow::Buffer::Wrap(rows.data(), count));
      TRY(const auto taken, storage::FromArrow(arrow::compute::Take(arrow::Datum(batch), arrow::Datum(indices),
                                                                    arrow::compute::TakeOptions::NoBoundsCheck()),
                                               "taking rows"));
      rows = rows.subspan(count);
      if (rows.empty()) batch.reset();
      TRY_VOID(sink(taken.record_batch(), first));
      first += count;
    }
    return {};
  }

  const std::string location_;
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
  TRY(auto groups, OpenRowGroups(store, file, projection, context).Context("reading {}", file.file_path));
  return std::make_unique<RowGroupReader>(file.file_path, std::move(groups));
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
