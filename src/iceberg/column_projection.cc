#include "iceberg/column_projection.h"

#include <arrow/array.h>
#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/compute/cast.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "iceberg/field_values.h"
#include "iceberg/variant_shredding.h"
#include "storage/arrow_error.h"

namespace firn::iceberg {
namespace {

using DataPtr = std::shared_ptr<arrow::ArrayData>;

/// May a column that was written as `from` be read as `to`? The spec's promotions ("Schema Evolution"), and the forms
/// in which other writers and other file formats store the same type.
bool MayConvert(const arrow::DataType& from, const arrow::DataType& to, bool is_int96) {
  using arrow::Type;
  switch (to.id()) {
    case Type::INT32:
      return from.id() == Type::INT8 || from.id() == Type::INT16 || from.id() == Type::UINT8 ||
             from.id() == Type::UINT16;
    case Type::INT64:
      return arrow::is_integer(from.id()) && from.id() != Type::UINT64;
    case Type::DOUBLE:
      return from.id() == Type::FLOAT;
    case Type::DECIMAL128: {
      if (!arrow::is_decimal(from.id())) return false;
      const auto& narrow = static_cast<const arrow::DecimalType&>(from);
      const auto& wide = static_cast<const arrow::DecimalType&>(to);
      return narrow.scale() == wide.scale() && narrow.precision() <= wide.precision();
    }
    case Type::TIMESTAMP: {
      const bool instant = !static_cast<const arrow::TimestampType&>(to).timezone().empty();
      if (from.id() == Type::DATE32) return !instant;
      if (from.id() != Type::TIMESTAMP) return false;
      return is_int96 || instant == !static_cast<const arrow::TimestampType&>(from).timezone().empty();
    }
    case Type::TIME64:
      return arrow::is_time(from.id()) || from.id() == Type::INT64;  // ORC has no time.
    case Type::STRING:
    case Type::BINARY:
      return arrow::is_base_binary_like(from.id()) || arrow::is_binary_view_like(from.id());
    case Type::FIXED_SIZE_BINARY:
      return from.id() == Type::BINARY;  // ORC has none of a fixed size.
    default:
      return false;
  }
}

Error Mismatch(const Field& field, const arrow::DataType& type) {
  return MakeError(ErrorKind::kSchemaMismatch, "column {} is {} in the table but {} in the file", field.name,
                   ToString(field.type), type.ToString());
}

Result<DataPtr> Repeated(const arrow::Scalar& value, int64_t rows) {
  TRY(const auto array,
      storage::FromArrow(arrow::MakeArrayFromScalar(value, rows), "making a column of {}", value.type->ToString()));
  return array->data();
}

Result<DataPtr> Converted(const DataPtr& data, const Field& field, const std::shared_ptr<arrow::DataType>& type) {
  arrow::compute::CastOptions options = arrow::compute::CastOptions::Safe(type);
  options.allow_time_truncate = true;  // Nanoseconds of another writer, and of ORC.
  const auto converted = arrow::compute::Cast(arrow::Datum(data), options);
  if (converted.ok()) return converted->array();
  Error error = storage::ToError(converted.status(), fmt::format("converting column {}", field.name));
  // What the file holds is not what the table's type allows.
  return converted.status().IsInvalid() ? std::move(error).WithKind(ErrorKind::kCorrupt) : error;
}

Result<DataPtr> Adapt(const DataPtr& data, const FileColumn& column, const Field& field,
                      const std::shared_ptr<arrow::DataType>& type);

Result<DataPtr> AdaptStruct(const DataPtr& data, const FileColumn& column, const Field& field,
                            const std::shared_ptr<arrow::DataType>& type) {
  auto copy = data->Copy();
  copy->type = type;
  copy->child_data.clear();
  for (size_t i = 0; i < field.type.fields.size(); ++i) {
    const Field& child = field.type.fields[i];
    const auto found = std::ranges::find(column.children, std::optional(child.id), &FileColumn::id);
    if (found != column.children.end()) {
      const auto position = static_cast<size_t>(found - column.children.begin());
      TRY(copy->child_data.emplace_back(),
          Adapt(data->child_data.at(position), *found, child, type->field(static_cast<int>(i))->type()));
    } else {
      TRY(const auto value, InitialValue(child));
      TRY(copy->child_data.emplace_back(), Repeated(*value, data->offset + data->length));
    }
  }
  return copy;
}

/// A column of a file as `field` of the projection, which is `type` in Arrow. Works on whole buffers: offsets stay.
Result<DataPtr> Adapt(const DataPtr& data, const FileColumn& column, const Field& field,
                      const std::shared_ptr<arrow::DataType>& type) {
  const arrow::DataType& stored = *data->type;
  if (stored.id() == arrow::Type::EXTENSION) {
    auto storage = data->Copy();
    storage->type = static_cast<const arrow::ExtensionType&>(stored).storage_type();
    return Adapt(storage, column, field, type);
  }
  if (field.type.id == TypeId::kVariant) return AssembleVariants(data, type).Context("column {}", field.name);
  // Spec: an unknown column is null whatever a file has in its place, and may become one of any type.
  if (type->id() == arrow::Type::NA || stored.id() == arrow::Type::NA) {
    return Repeated(*arrow::MakeNullScalar(type), data->length);
  }
  const bool nested = arrow::is_nested(type->id());
  if (!nested && stored.Equals(*type)) return data;
  if (!nested || stored.id() != type->id()) {
    if (!MayConvert(stored, *type, column.is_int96)) return Mismatch(field, stored);
    return Converted(data, field, type);
  }
  if (type->id() == arrow::Type::STRUCT) return AdaptStruct(data, column, field, type);
  auto copy = data->Copy();
  copy->type = type;
  if (type->id() == arrow::Type::LIST) {
    TRY(copy->child_data.at(0),
        Adapt(data->child_data.at(0), column.children.at(0), field.type.fields.at(0), type->field(0)->type()));
    return copy;
  }
  const std::shared_ptr<arrow::DataType>& entries_type = type->field(0)->type();
  auto entries = data->child_data.at(0)->Copy();
  entries->type = entries_type;
  for (size_t i = 0; i < 2; ++i) {
    TRY(entries->child_data.at(i), Adapt(entries->child_data.at(i), column.children.at(i), field.type.fields.at(i),
                                         entries_type->field(static_cast<int>(i))->type()));
  }
  copy->child_data.at(0) = std::move(entries);
  return copy;
}

}  // namespace

Result<ColumnContext> ColumnContextOf(const TableMetadata& metadata, const DataFile& file) {
  ColumnContext context;
  if (auto names = metadata.properties.find(std::string(kNameMappingProperty)); names != metadata.properties.end()) {
    TRY(context.names, ParseNameMapping(names->second));
  }
  const PartitionSpec* spec = metadata.FindSpec(file.partition_spec_id);
  for (size_t i = 0; spec != nullptr && i < spec->fields.size() && i < file.partition.size(); ++i) {
    const PartitionField& field = spec->fields[i];
    if (field.transform.kind == TransformKind::kIdentity) {
      context.partition_values.emplace(field.source_id, file.partition[i]);
    }
  }
  return context;
}

Status ResolveIds(const ColumnContext& context, std::vector<FileColumn>& columns) {
  if (columns.empty() || HaveIds(columns)) return {};
  if (context.names.empty()) {
    return MakeError(ErrorKind::kUnsupported,
                     "its columns have no Iceberg field ids; set the table property {}, or rewrite the file with an "
                     "Iceberg engine",
                     kNameMappingProperty);
  }
  AssignIds(context.names, columns);
  return {};
}

Result<std::shared_ptr<arrow::Scalar>> MissingValue(const Field& field, const ColumnContext& context) {
  const auto value = context.partition_values.find(field.id);
  if (value == context.partition_values.end()) return InitialValue(field);
  return ScalarFromLiteral(field.type, value->second).Context("partition value of {}", field.name);
}

Result<ColumnProjection> ColumnProjection::Make(const Schema& projection, std::vector<FileColumn> file_columns,
                                                const ColumnContext& context) {
  TRY_VOID(ResolveIds(context, file_columns));
  ColumnProjection made;
  made.projection_ = projection;
  TRY(made.schema_, ToArrowSchema(projection));
  std::vector<int> index_of;  // In the file, by column of the projection.
  for (const Field& field : projection.fields) {
    const auto found = std::ranges::find(file_columns, std::optional(field.id), &FileColumn::id);
    index_of.push_back(found == file_columns.end() ? -1 : static_cast<int>(found - file_columns.begin()));
    if (index_of.back() >= 0) made.needed_.push_back(index_of.back());
  }
  std::ranges::sort(made.needed_);
  made.needed_.erase(std::ranges::unique(made.needed_).begin(), made.needed_.end());
  for (size_t i = 0; i < projection.fields.size(); ++i) {
    const Field& field = projection.fields[i];
    Source source;
    if (index_of[i] >= 0) {
      source.needed = static_cast<int>(std::ranges::lower_bound(made.needed_, index_of[i]) - made.needed_.begin());
    } else {
      TRY(source.missing_value, MissingValue(field, context));
    }
    made.sources_.push_back(std::move(source));
  }
  made.file_columns_ = std::move(file_columns);
  return made;
}

Result<std::shared_ptr<arrow::RecordBatch>> ColumnProjection::Project(const arrow::RecordBatch& rows) const {
  arrow::ArrayVector columns;
  for (size_t i = 0; i < sources_.size(); ++i) {
    const Source& source = sources_[i];
    DataPtr column;
    if (source.needed >= 0) {
      const auto position = static_cast<size_t>(needed_[static_cast<size_t>(source.needed)]);
      TRY(column, Adapt(rows.column_data(source.needed), file_columns_[position], projection_.fields[i],
                        schema_->field(static_cast<int>(i))->type()));
    } else {
      TRY(column, Repeated(*source.missing_value, rows.num_rows()));
    }
    columns.push_back(arrow::MakeArray(column));
  }
  return arrow::RecordBatch::Make(schema_, rows.num_rows(), std::move(columns));
}

}  // namespace firn::iceberg
