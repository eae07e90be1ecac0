#include "destination/arrow_rows.h"

#include <arrow/api.h>
#include <arrow/c/bridge.h>
#include <arrow/compute/api.h>
#include <arrow/compute/initialize.h>

#include <algorithm>

#include "base/try.h"
#include "storage/arrow_error.h"

namespace firn::destination {
namespace {

namespace compute = arrow::compute;

/// Of a type and, where it is not registered here, of a field's metadata.
bool IsUuid(const arrow::Field& field) {
  if (field.type()->id() == arrow::Type::EXTENSION) {
    return static_cast<const arrow::ExtensionType&>(*field.type()).extension_name() == "arrow.uuid";
  }
  if (!field.HasMetadata()) return false;
  const auto name = field.metadata()->Get("ARROW:extension:name");
  return name.ok() && *name == "arrow.uuid";
}

Result<Column> ColumnOf(const arrow::Field& field) {
  const arrow::DataType& type = *field.type();
  const auto column = [&](ColumnType of) { return Column{.name = field.name(), .type = of}; };
  if (IsUuid(field)) return column(ColumnType::kUuid);
  switch (type.id()) {
    case arrow::Type::BOOL:
      return column(ColumnType::kBoolean);
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::UINT8:
    case arrow::Type::UINT16:
      return column(ColumnType::kInt);
    case arrow::Type::INT64:
    case arrow::Type::UINT32:
      return column(ColumnType::kLong);
    case arrow::Type::FLOAT:
      return column(ColumnType::kFloat);
    case arrow::Type::DOUBLE:
      return column(ColumnType::kDouble);
    case arrow::Type::DECIMAL128: {
      const auto& decimal = static_cast<const arrow::Decimal128Type&>(type);
      if (decimal.scale() < 0) break;
      return Column{.name = field.name(),
                    .type = ColumnType::kDecimal,
                    .precision = decimal.precision(),
                    .scale = decimal.scale()};
    }
    case arrow::Type::DATE32:
    case arrow::Type::DATE64:
      return column(ColumnType::kDate);
    case arrow::Type::TIME32:
    case arrow::Type::TIME64:
      return column(ColumnType::kTime);
    case arrow::Type::TIMESTAMP:
      return column(static_cast<const arrow::TimestampType&>(type).timezone().empty() ? ColumnType::kTimestamp
                                                                                      : ColumnType::kTimestampTz);
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
    case arrow::Type::STRING_VIEW:
      return column(ColumnType::kString);
    case arrow::Type::BINARY:
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::BINARY_VIEW:
    case arrow::Type::FIXED_SIZE_BINARY:
      return column(ColumnType::kBinary);
    case arrow::Type::DICTIONARY:
      return ColumnOf(*field.WithType(static_cast<const arrow::DictionaryType&>(type).value_type()));
    default:
      break;
  }
  return MakeError(ErrorKind::kUnsupported, "column '{}': a table has no type for Arrow's {}", field.name(),
                   type.ToString());
}

bool IsText(arrow::Type::type id) {
  return id == arrow::Type::STRING || id == arrow::Type::LARGE_STRING || id == arrow::Type::STRING_VIEW;
}
bool IsBytes(arrow::Type::type id) {
  return id == arrow::Type::BINARY || id == arrow::Type::LARGE_BINARY || id == arrow::Type::BINARY_VIEW ||
         id == arrow::Type::FIXED_SIZE_BINARY;
}
bool HasZone(const arrow::DataType& type) {
  return type.id() == arrow::Type::TIMESTAMP && !static_cast<const arrow::TimestampType&>(type).timezone().empty();
}

/// Whether Arrow's safe cast gives each value as it is, or an error. Its others round, cut, or print.
bool ConvertsWithoutLoss(const arrow::DataType& from, const arrow::DataType& to) {
  switch (from.id()) {
    case arrow::Type::NA:
      return true;
    case arrow::Type::DICTIONARY:
      return ConvertsWithoutLoss(*static_cast<const arrow::DictionaryType&>(from).value_type(), to);
    case arrow::Type::HALF_FLOAT:
    case arrow::Type::FLOAT:
      return arrow::is_floating(to.id());
    case arrow::Type::DATE64:
      return to.id() == arrow::Type::DATE32;
    case arrow::Type::TIME32:
    case arrow::Type::TIME64:
      return to.id() == arrow::Type::TIME64;
    case arrow::Type::TIMESTAMP:
      return to.id() == arrow::Type::TIMESTAMP && HasZone(from) == HasZone(to);
    default:
      return from.Equals(to) || (arrow::is_integer(from.id()) && arrow::is_integer(to.id())) ||
             (arrow::is_decimal(from.id()) && arrow::is_decimal(to.id())) || (IsText(from.id()) && IsText(to.id())) ||
             (IsBytes(from.id()) && IsBytes(to.id()));
  }
}

/// Without loss, or kSchemaMismatch.
Result<std::shared_ptr<arrow::Array>> Convert(std::shared_ptr<arrow::Array> column,
                                              const std::shared_ptr<arrow::DataType>& type, const std::string& name) {
  if (column->type_id() == arrow::Type::EXTENSION) {
    column = static_cast<const arrow::ExtensionArray&>(*column).storage();
  }
  if (column->type()->Equals(type)) return column;
  if (!ConvertsWithoutLoss(*column->type(), *type)) {
    return MakeError(ErrorKind::kSchemaMismatch, "column '{}': Arrow's {} does not become {}", name,
                     column->type()->ToString(), type->ToString());
  }
  // Arrow's functions but the simplest are in a library of their own, which has to be told to register them.
  static const arrow::Status registered = compute::Initialize();
  TRY_VOID(storage::FromArrow(registered, "{}", "registering Arrow's functions"));
  // A zone is how an instant is shown: the column has the instant.
  auto converted = compute::Cast(*column, type, compute::CastOptions::Safe());
  if (converted.ok()) return *std::move(converted);
  return MakeError(ErrorKind::kSchemaMismatch, "column '{}': Arrow's {} does not become {}: {}", name,
                   column->type()->ToString(), type->ToString(), converted.status().message());
}

}  // namespace

Result<std::shared_ptr<arrow::RecordBatch>> ImportRows(ArrowSchema* schema, ArrowArray* rows) {
  auto imported_schema = arrow::ImportSchema(schema);
  if (!imported_schema.ok()) {
    if (rows->release != nullptr) rows->release(rows);
    return MakeError(ErrorKind::kSchemaMismatch, "the rows' ArrowSchema: {}", imported_schema.status().message());
  }
  auto batch = arrow::ImportRecordBatch(rows, *std::move(imported_schema));
  const arrow::Status valid = batch.ok() ? (*batch)->ValidateFull() : batch.status();
  if (!valid.ok()) return MakeError(ErrorKind::kSchemaMismatch, "the rows' ArrowArray: {}", valid.message());
  return *std::move(batch);
}

Result<std::shared_ptr<arrow::RecordBatch>> FitRows(const arrow::RecordBatch& rows,
                                                    std::span<const iceberg::Field> fields,
                                                    std::span<const std::string> never_null, bool allow_others) {
  iceberg::Schema projection;
  for (const iceberg::Field& field : fields) {
    projection.fields.push_back(field);
    projection.fields.back().required = false;  // As the stream's batches: nullable throughout.
  }
  TRY(const auto schema, iceberg::ToArrowSchema(projection));
  for (const auto& given : rows.schema()->fields()) {
    if (rows.schema()->GetAllFieldIndices(given->name()).size() > 1) {
      return MakeError(ErrorKind::kSchemaMismatch, "column '{}' is given twice", given->name());
    }
    if (!allow_others && schema->GetFieldIndex(given->name()) < 0) {
      return MakeError(ErrorKind::kSchemaMismatch, "the table has no column '{}'", given->name());
    }
  }
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (const auto& field : schema->fields()) {
    auto column = rows.GetColumnByName(field->name());
    const bool is_never_null = std::ranges::find(never_null, field->name()) != never_null.end();
    if (is_never_null && (column == nullptr || column->null_count() > 0)) {
      return MakeError(ErrorKind::kSchemaMismatch, "key column '{}' is {}", field->name(),
                       column == nullptr ? "missing" : "NULL in a row");
    }
    if (column == nullptr) {
      TRY(column,
          storage::FromArrow(arrow::MakeArrayOfNull(field->type(), rows.num_rows()), "column {}", field->name()));
    }
    TRY(columns.emplace_back(), Convert(std::move(column), field->type(), field->name()));
  }
  return arrow::RecordBatch::Make(schema, rows.num_rows(), std::move(columns));
}

}  // namespace firn::destination

namespace firn {

Result<std::vector<Column>> ColumnsOf(ArrowSchema* schema) {
  if (schema == nullptr) return MakeError(ErrorKind::kInvalidConfig, "there is no ArrowSchema of the columns");
  const auto imported = arrow::ImportSchema(schema);
  if (!imported.ok()) {
    return MakeError(ErrorKind::kSchemaMismatch, "the ArrowSchema of the columns: {}", imported.status().message());
  }
  std::vector<Column> columns;
  for (const auto& field : (*imported)->fields()) {
    TRY(columns.emplace_back(), destination::ColumnOf(*field));
  }
  return columns;
}

}  // namespace firn
