#include "pipeline/key_deletes.h"

#include <arrow/api.h>
#include <arrow/compute/api.h>

#include <utility>

#include "base/try.h"
#include "storage/arrow_error.h"

namespace firn::pipeline {

iceberg::Schema KeySchema(const TableLayout& layout) {
  iceberg::Schema schema{.schema_id = layout.schema.schema_id};
  for (const int column : layout.key_columns)
    schema.fields.push_back(layout.schema.fields[static_cast<size_t>(column)]);
  return schema;
}

Result<std::shared_ptr<arrow::RecordBatch>> TakeKeys(const TableLayout& layout, const TableBatch& batch,
                                                     const index::EncodedKeys& row_keys,
                                                     const index::EncodedKeys& old_keys,
                                                     std::span<const std::string_view> keys) {
  // Old keys stand behind the rows' own.
  const auto rows = static_cast<int64_t>(row_keys.size());
  std::vector<int64_t> indices;
  indices.reserve(keys.size());
  for (const std::string_view key : keys) {
    if (const auto row = row_keys.Find(key)) {
      indices.push_back(static_cast<int64_t>(*row));
    } else if (const auto old = old_keys.Find(key)) {
      indices.push_back(rows + static_cast<int64_t>(*old));
    } else {
      return MakeError(ErrorKind::kInternal, "a removed key is none of its batch's keys");
    }
  }
  const arrow::Int64Array taken(static_cast<int64_t>(indices.size()), arrow::Buffer::Wrap(indices));
  const iceberg::Schema schema = KeySchema(layout);
  arrow::ArrayVector columns;
  for (size_t i = 0; i < layout.key_columns.size(); ++i) {
    arrow::ArrayVector parts;
    if (batch.rows.batch) parts.push_back(batch.rows.batch->column(layout.key_columns[i]));
    if (batch.old_keys.batch) parts.push_back(batch.old_keys.batch->column(static_cast<int>(i)));
    TRY(const auto all, storage::FromArrow(arrow::Concatenate(parts), "gathering keys of {}", schema.fields[i].name));
    TRY(auto column, storage::FromArrow(arrow::compute::Take(*all, taken, arrow::compute::TakeOptions::NoBoundsCheck()),
                                        "gathering keys of {}", schema.fields[i].name));
    columns.push_back(std::move(column));
  }
  TRY(auto arrow_schema, iceberg::ToArrowSchema(schema));
  arrow::FieldVector fields;
  for (int i = 0; i < arrow_schema->num_fields(); ++i) {
    fields.push_back(arrow_schema->field(i)->WithType(columns[static_cast<size_t>(i)]->type()));
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), taken.length(), std::move(columns));
}

KeyDeletes::KeyDeletes(storage::FileStore& store, iceberg::Schema key_schema, iceberg::ParquetOptions options,
                       int64_t target_file_size_bytes, std::function<std::string()> name)
    : store_(store),
      key_schema_(std::move(key_schema)),
      options_(options),
      target_file_size_bytes_(target_file_size_bytes),
      name_(std::move(name)) {}

Status KeyDeletes::Add(const arrow::RecordBatch& keys) {
  if (files_.empty() || files_.back().estimated_bytes() >= target_file_size_bytes_) {
    TRY(auto file, iceberg::EqualityDeleteWriter::Open(store_, name_(), key_schema_, options_));
    files_.push_back(std::move(file));
  }
  return files_.back().Write(keys);
}

Result<std::vector<iceberg::DataFile>> KeyDeletes::Close(int32_t unpartitioned_spec_id) {
  std::vector<iceberg::DataFile> closed;
  for (iceberg::EqualityDeleteWriter& file : std::exchange(files_, {})) {
    TRY(closed.emplace_back(), file.Close(unpartitioned_spec_id));
  }
  return closed;
}

}  // namespace firn::pipeline
