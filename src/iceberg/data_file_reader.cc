#include "iceberg/data_file_reader.h"

#include <arrow/array.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/array/util.h>
#include <arrow/compute/api_vector.h>
#include <arrow/compute/cast.h>
#include <arrow/record_batch.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "base/try.h"
#include "iceberg/parquet_error.h"

namespace firn::iceberg {
namespace {

constexpr int64_t kBatchRows = 64 << 10;

/// The id that Parquet's reader found on a field's column; nothing where the file has none.
std::optional<FieldId> IdOf(const arrow::Field& field) {
  if (!field.HasMetadata()) return std::nullopt;
  const auto text = field.metadata()->Get("PARQUET:field_id");
  FieldId id = 0;
  if (!text.ok() || std::from_chars(text->data(), text->data() + text->size(), id).ec != std::errc()) {
    return std::nullopt;
  }
  return id;
}

void CollectColumns(const parquet::arrow::SchemaField& field, std::vector<int>& columns) {
  if (field.is_leaf()) columns.push_back(field.column_index);
  for (const auto& child : field.children) CollectColumns(child, columns);
}

/// May a column that was written as `from` be read as `to`? The spec's promotions ("Schema Evolution"), and the forms
/// in which other writers store the same type.
bool MayConvert(const arrow::DataType& from, const arrow::DataType& to) {
  using arrow::Type;
  switch (to.id()) {
    case Type::INT64:
      return from.id() == Type::INT32;
    case Type::DOUBLE:
      return from.id() == Type::FLOAT;
    case Type::DECIMAL128: {
      if (!arrow::is_decimal(from.id())) return false;
      const auto& narrow = static_cast<const arrow::DecimalType&>(from);
      const auto& wide = static_cast<const arrow::DecimalType&>(to);
      return narrow.scale() == wide.scale() && narrow.precision() <= wide.precision();
    }
    case Type::TIMESTAMP:
      return from.id() == Type::TIMESTAMP && static_cast<const arrow::TimestampType&>(from).timezone().empty() ==
                                                 static_cast<const arrow::TimestampType&>(to).timezone().empty();
    case Type::TIME64:
      return arrow::is_time(from.id());
    case Type::STRING:
    case Type::BINARY:
      return arrow::is_base_binary_like(from.id()) || arrow::is_binary_view_like(from.id());
    default:
      return false;
  }
}

Error Mismatch(const Field& field, const arrow::DataType& type) {
  return MakeError(ErrorKind::kSchemaMismatch, "column {} is {} in the table but {} in the file", field.name,
                   ToString(field.type), type.ToString());
}

/// A column of a file as `field` of the projection, which is `type` in Arrow. Works on whole buffers: offsets stay.
Result<std::shared_ptr<arrow::ArrayData>> Adapt(const std::shared_ptr<arrow::ArrayData>& data, const Field& field,
                                                const std::shared_ptr<arrow::DataType>& type) {
  const arrow::DataType& stored = *data->type;
  if (stored.Equals(*type) && type->num_fields() == 0) return data;
  if (stored.id() == arrow::Type::EXTENSION) {
    auto storage = data->Copy();
    storage->type = static_cast<const arrow::ExtensionType&>(stored).storage_type();
    return Adapt(storage, field, type);
  }
  if (stored.id() != type->id() || type->num_fields() == 0) {
    if (!MayConvert(stored, *type)) return Mismatch(field, stored);
    arrow::compute::CastOptions options = arrow::compute::CastOptions::Safe(type);
    options.allow_time_truncate = true;  // nanoseconds of another writer
    TRY(const auto converted,
        storage::FromArrow(arrow::compute::Cast(arrow::Datum(data), options), "converting column {}", field.name));
    return converted.array();
  }
  auto copy = data->Copy();
  copy->type = type;
  if (type->id() == arrow::Type::LIST) {
    TRY(copy->child_data.at(0), Adapt(data->child_data.at(0), field.type.fields.at(0), type->field(0)->type()));
    return copy;
  }
  if (type->id() == arrow::Type::MAP) {
    const std::shared_ptr<arrow::DataType>& entries_type = type->field(0)->type();
    auto entries = data->child_data.at(0)->Copy();
    entries->type = entries_type;
    for (size_t i = 0; i < 2; ++i) {
      TRY(entries->child_data.at(i),
          Adapt(entries->child_data.at(i), field.type.fields.at(i), entries_type->field(static_cast<int>(i))->type()));
    }
    copy->child_data.at(0) = std::move(entries);
    return copy;
  }
  copy->child_data.clear();
  for (size_t i = 0; i < field.type.fields.size(); ++i) {
    const Field& child = field.type.fields[i];
    const auto& child_type = type->field(static_cast<int>(i))->type();
    std::shared_ptr<arrow::ArrayData> adapted;
    for (int j = 0; j < stored.num_fields() && !adapted; ++j) {
      if (IdOf(*stored.field(j)) != child.id) continue;
      TRY(adapted, Adapt(data->child_data.at(static_cast<size_t>(j)), child, child_type));
    }
    if (!adapted) {
      TRY(const auto nulls, storage::FromArrow(arrow::MakeArrayOfNull(child_type, data->offset + data->length),
                                               "making column {} of nulls", child.name));
      adapted = nulls->data();
    }
    copy->child_data.push_back(std::move(adapted));
  }
  return copy;
}

class ParquetDataFileReader : public DataFileReader {
 public:
  ParquetDataFileReader(std::string location, Schema projection)
      : location_(std::move(location)), projection_(std::move(projection)) {}

  Status Open(storage::FileStore& store) {
    TRY(schema_, ToArrowSchema(projection_));
    TRY(auto input, store.OpenInput(location_));
    TRY_VOID(Do([&]() -> arrow::Status {
      parquet::arrow::FileReaderBuilder builder;
      ARROW_RETURN_NOT_OK(builder.Open(std::move(input)));
      parquet::ArrowReaderProperties properties(/*use_threads=*/false);
      properties.set_batch_size(kBatchRows);
      builder.properties(properties);
      return builder.Build().Value(&reader_);
    }));
    const auto& fields = reader_->manifest().schema_fields;
    if (!fields.empty() &&
        std::ranges::none_of(fields, [](const auto& field) { return IdOf(*field.field).has_value(); })) {
      return MakeError(ErrorKind::kUnsupported,
                       "reading {}: its columns have no Iceberg field ids; rewrite the file with an Iceberg engine",
                       location_);
    }
    for (const auto& field : fields) {
      const auto id = IdOf(*field.field);
      if (id && projection_.FindField(*id) != nullptr) CollectColumns(field, columns_);
    }
    return {};
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
    while (true) {
      if (!batches_) {
        if (group_ == reader_->num_row_groups()) return nullptr;
        TRY(batches_, OpenRowGroup(group_++));
      }
      TRY(auto batch, NextOf(*batches_));
      if (!batch) {
        batches_.reset();
      } else if (batch->num_rows() > 0) {
        return Adapted(*batch);
      }
    }
  }

  Result<std::shared_ptr<arrow::RecordBatch>> ReadRows(std::span<const int64_t> positions) override {
    const auto footer = reader_->parquet_reader()->metadata();
    if (!positions.empty() &&
        (positions.front() < 0 || positions.back() >= footer->num_rows() || !std::ranges::is_sorted(positions))) {
      return MakeError(ErrorKind::kInternal, "reading {}: positions {} to {} of {} rows", location_, positions.front(),
                       positions.back(), footer->num_rows());
    }
    std::vector<std::shared_ptr<arrow::RecordBatch>> parts;
    size_t next = 0;
    int64_t group_begin = 0;
    for (int group = 0; group < footer->num_row_groups() && next < positions.size(); ++group) {
      const int64_t group_end = group_begin + footer->RowGroup(group)->num_rows();
      if (positions[next] < group_end) {
        TRY_VOID(ReadRowsOf(group, group_begin, group_end, positions, next, parts));
      }
      group_begin = group_end;
    }
    if (parts.empty()) return storage::FromArrow(arrow::RecordBatch::MakeEmpty(schema_), "reading {}", location_);
    if (parts.size() == 1) return parts.front();
    return storage::FromArrow(arrow::ConcatenateRecordBatches(parts), "reading {}", location_);
  }

 private:
  template <typename Call>
  Status Do(Call&& call) {
    const arrow::Status status = CatchParquet(std::forward<Call>(call));
    if (!status.ok()) return ReadError(status, location_);
    return {};
  }

  // One row group at a time: what Arrow reads ahead is bounded by it.
  Result<std::unique_ptr<arrow::RecordBatchReader>> OpenRowGroup(int group) {
    std::unique_ptr<arrow::RecordBatchReader> batches;
    TRY_VOID(Do([&] { return reader_->GetRecordBatchReader({group}, columns_).Value(&batches); }));
    return batches;
  }

  Result<std::shared_ptr<arrow::RecordBatch>> NextOf(arrow::RecordBatchReader& batches) {
    std::shared_ptr<arrow::RecordBatch> batch;
    TRY_VOID(Do([&] { return batches.ReadNext(&batch); }));
    return batch;
  }

  /// Takes the rows of one row group, from positions[next] on; `next` is then past them.
  Status ReadRowsOf(int group, int64_t group_begin, int64_t group_end, std::span<const int64_t> positions, size_t& next,
                    std::vector<std::shared_ptr<arrow::RecordBatch>>& parts) {
    TRY(auto batches, OpenRowGroup(group));
    int64_t begin = group_begin;
    while (next < positions.size() && positions[next] < group_end) {
      TRY(auto batch, NextOf(*batches));
      if (!batch) return MakeError(ErrorKind::kCorrupt, "reading {}: row group {} ends early", location_, group);
      const int64_t end = begin + batch->num_rows();
      arrow::Int64Builder rows;
      for (; next < positions.size() && positions[next] < end; ++next) {
        TRY_VOID(storage::FromArrow(rows.Append(positions[next] - begin), "reading {}", location_));
      }
      begin = end;
      if (rows.length() == 0) continue;
      TRY(auto adapted, Adapted(*batch));
      TRY(auto indices, storage::FromArrow(rows.Finish(), "reading {}", location_));
      TRY(const auto taken, storage::FromArrow(arrow::compute::Take(arrow::Datum(adapted), arrow::Datum(indices),
                                                                    arrow::compute::TakeOptions::NoBoundsCheck()),
                                               "reading {}", location_));
      parts.push_back(taken.record_batch());
    }
    return {};
  }

  /// The projection's columns of a batch of the file.
  Result<std::shared_ptr<arrow::RecordBatch>> Adapted(const arrow::RecordBatch& batch) {
    arrow::ArrayVector columns;
    for (size_t i = 0; i < projection_.fields.size(); ++i) {
      const Field& field = projection_.fields[i];
      const auto& type = schema_->field(static_cast<int>(i))->type();
      std::shared_ptr<arrow::Array> column;
      for (int j = 0; j < batch.num_columns() && !column; ++j) {
        if (IdOf(*batch.schema()->field(j)) != field.id) continue;
        TRY(const auto adapted, Adapt(batch.column_data(j), field, type).Context("reading {}", location_));
        column = arrow::MakeArray(adapted);
      }
      if (!column) {
        TRY(column, storage::FromArrow(arrow::MakeArrayOfNull(type, batch.num_rows()), "reading {}", location_));
      }
      columns.push_back(std::move(column));
    }
    return arrow::RecordBatch::Make(schema_, batch.num_rows(), std::move(columns));
  }

  const std::string location_;
  const Schema projection_;
  std::shared_ptr<arrow::Schema> schema_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::vector<int> columns_;  ///< Of the file, that the projection needs.
  int group_ = 0;             ///< The row group that Next opens next.
  std::unique_ptr<arrow::RecordBatchReader> batches_;
};

}  // namespace

Result<std::unique_ptr<DataFileReader>> DataFileReader::Open(storage::FileStore& store, const std::string& location,
                                                             const Schema& projection) {
  auto reader = std::make_unique<ParquetDataFileReader>(location, projection);
  TRY_VOID(reader->Open(store));
  return reader;
}

}  // namespace firn::iceberg
