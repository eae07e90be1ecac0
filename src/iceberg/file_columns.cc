#include "iceberg/file_columns.h"

#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>

#include <algorithm>
#include <charconv>

namespace firn::iceberg {
namespace {

std::optional<FieldId> IdOf(const arrow::Field& field, const std::string& id_key) {
  if (!field.HasMetadata()) return std::nullopt;
  const auto text = field.metadata()->Get(id_key);
  FieldId id = 0;
  if (!text.ok() || std::from_chars(text->data(), text->data() + text->size(), id).ec != std::errc()) {
    return std::nullopt;
  }
  return id < 0 ? std::nullopt : std::optional(id);  // Parquet's -1 is none.
}

/// A type's children by the names that the spec gives them, whatever the file calls them. A map's key and value stand
/// below its entries in Arrow.
arrow::FieldVector ChildrenOf(const arrow::DataType& type) {
  if (type.id() == arrow::Type::MAP) {
    const arrow::DataType& entries = *type.field(0)->type();
    return {entries.field(0)->WithName("key"), entries.field(1)->WithName("value")};
  }
  if (type.id() == arrow::Type::LIST) return {type.field(0)->WithName("element")};
  return type.fields();
}

}  // namespace

std::vector<FileColumn> FileColumnsOf(const arrow::FieldVector& fields, const std::string& id_key) {
  std::vector<FileColumn> columns;
  for (const auto& field : fields) {
    columns.push_back({.name = field->name(),
                       .id = IdOf(*field, id_key),
                       .children = FileColumnsOf(ChildrenOf(*field->type()), id_key)});
  }
  return columns;
}

bool HaveIds(const std::vector<FileColumn>& columns) {
  return std::ranges::any_of(
      columns, [](const FileColumn& column) { return column.id.has_value() || HaveIds(column.children); });
}

void AssignIds(const NameMapping& mapping, std::vector<FileColumn>& columns) {
  for (FileColumn& column : columns) {
    const MappedField* mapped = FindMapped(mapping, column.name);
    if (mapped == nullptr) continue;
    column.id = mapped->field_id;
    AssignIds(mapped->fields, column.children);
  }
}

}  // namespace firn::iceberg
