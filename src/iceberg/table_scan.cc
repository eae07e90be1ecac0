#include "iceberg/table_scan.h"

#include <arrow/array.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/array/util.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "iceberg/reserved_fields.h"
#include "storage/arrow_error.h"

namespace firn::iceberg {
namespace {

/// May a data file hold the field?
bool InFile(const Field& field) { return field.id != kFileFieldId && field.id != kPosFieldId; }

bool IsReserved(const Field& field) { return field.id >= kReservedIdsBegin; }

/// The rows at `positions` of a batch that begins at `begin`.
Result<std::shared_ptr<arrow::RecordBatch>> TakeRows(const std::shared_ptr<arrow::RecordBatch>& batch, int64_t begin,
                                                     std::vector<int64_t> positions) {
  if (static_cast<int64_t>(positions.size()) == batch->num_rows()) return batch;
  for (int64_t& position : positions) position -= begin;
  const auto count = static_cast<int64_t>(positions.size());
  const arrow::Int64Array indices(count, arrow::Buffer::FromVector(std::move(positions)));
  TRY(const arrow::Datum taken, storage::FromArrow(arrow::compute::Take(arrow::Datum(batch), arrow::Datum(indices),
                                                                        arrow::compute::TakeOptions::NoBoundsCheck()),
                                                   "taking {} rows", count));
  return taken.record_batch();
}

/// A lineage column as the file has it, with `inherited(i)` where a row has no value of its own.
template <typename Inherited>
Result<std::shared_ptr<arrow::Array>> WithInherited(const arrow::Array& stored, Inherited inherited) {
  const auto& own = static_cast<const arrow::Int64Array&>(stored);
  arrow::Int64Builder builder;
  TRY_VOID(storage::FromArrow(builder.Reserve(own.length()), "reading row lineage"));
  for (int64_t i = 0; i < own.length(); ++i) {
    const std::optional<int64_t> value = own.IsValid(i) ? std::optional(own.Value(i)) : inherited(i);
    TRY_VOID(storage::FromArrow(builder.AppendOrNull(value), "reading row lineage"));
  }
  return storage::FromArrow(builder.Finish(), "reading row lineage");
}

}  // namespace

Result<std::unique_ptr<LiveRowReader>> LiveRowReader::Open(storage::FileStore& store, const TableMetadata& metadata,
                                                           const ManifestEntry& file, const Schema& projection,
                                                           RowPositions deleted) {
  std::unique_ptr<LiveRowReader> reader(new LiveRowReader);
  reader->file_ = file;
  reader->projection_ = projection;
  TRY(reader->schema_, ToArrowSchema(projection));
  reader->stored_.schema_id = projection.schema_id;
  for (const Field& field : projection.fields) {
    if (InFile(field)) reader->stored_.fields.push_back(field);
  }
  TRY(reader->reader_, OpenDataFile(store, metadata, file.file, reader->stored_));
  reader->has_deletes_ = !deleted.isEmpty();
  reader->deleted_ = std::move(deleted);
  return reader;
}

Result<std::optional<LiveRows>> LiveRowReader::Next() {
  while (true) {
    TRY(const auto stored, reader_->Next());
    if (!stored) return std::optional<LiveRows>();
    LiveRows live;
    const int64_t begin = std::exchange(next_position_, next_position_ + stored->num_rows());
    live.positions.reserve(static_cast<size_t>(stored->num_rows()));
    for (int64_t position = begin; position < next_position_; ++position) {
      if (!has_deletes_ || !deleted_.contains(static_cast<uint64_t>(position))) live.positions.push_back(position);
    }
    if (live.positions.empty()) continue;
    TRY(const auto rows, TakeRows(stored, begin, live.positions).Context("reading {}", file_.file.file_path));
    TRY(live.rows, Project(rows, live.positions).Context("reading {}", file_.file.file_path));
    return live;
  }
}

Result<std::shared_ptr<arrow::RecordBatch>> LiveRowReader::Project(const std::shared_ptr<arrow::RecordBatch>& stored,
                                                                   const std::vector<int64_t>& positions) const {
  if (std::ranges::none_of(projection_.fields, IsReserved)) return stored;
  arrow::ArrayVector columns;
  int next_stored = 0;
  for (const Field& field : projection_.fields) {
    std::shared_ptr<arrow::Array> column = InFile(field) ? stored->column(next_stored++) : nullptr;
    if (IsReserved(field)) {
      TRY(column, ReservedColumn(field, column, positions));
    }
    columns.push_back(std::move(column));
  }
  return arrow::RecordBatch::Make(schema_, static_cast<int64_t>(positions.size()), std::move(columns));
}

Result<std::shared_ptr<arrow::Array>> LiveRowReader::ReservedColumn(const Field& field,
                                                                    const std::shared_ptr<arrow::Array>& stored,
                                                                    const std::vector<int64_t>& positions) const {
  const auto rows = static_cast<int64_t>(positions.size());
  switch (field.id) {
    case kFileFieldId:
      return storage::FromArrow(arrow::MakeArrayFromScalar(arrow::StringScalar(file_.file.file_path), rows),
                                "making column {}", field.name);
    case kPosFieldId:
      return std::make_shared<arrow::Int64Array>(rows, arrow::Buffer::FromVector(positions));
    case kRowIdFieldId:
      return WithInherited(*stored, [&](int64_t i) {
        const auto& first = file_.file.first_row_id;
        return first ? std::optional(*first + positions[static_cast<size_t>(i)]) : std::nullopt;
      });
    case kLastUpdatedFieldId:
      return WithInherited(*stored, [&](int64_t) { return std::optional(file_.sequence_number); });
    default:
      return MakeError(ErrorKind::kInternal, "a scan does not give field {} ({})", field.id, field.name);
  }
}

TableScan::TableScan(storage::FileStore& store, TableMetadataPtr metadata, Schema projection,
                     std::vector<LiveDataFile> files)
    : store_(&store),
      metadata_(std::move(metadata)),
      projection_(std::move(projection)),
      files_(std::move(files)),
      deleted_rows_(store) {}

Result<TableScan> TableScan::Plan(storage::FileStore& store, TableMetadataPtr metadata, const Snapshot* snapshot,
                                  Schema projection, ManifestCache& manifests) {
  TRY(auto files, PlanFiles(store, *metadata, snapshot, manifests));
  return TableScan(store, std::move(metadata), std::move(projection), std::move(files));
}

Result<std::unique_ptr<LiveRowReader>> TableScan::Open(const LiveDataFile& file) {
  TRY(RowPositions deleted, deleted_rows_.Of(*metadata_, file));
  return LiveRowReader::Open(*store_, *metadata_, file.entry, projection_, std::move(deleted));
}

}  // namespace firn::iceberg
