#include "pipeline/computed_columns.h"

#include <fmt/format.h>

#include <utility>

#include "base/try.h"

namespace firn::pipeline {

Result<ComputedColumn> ParseComputedColumn(const std::string& name, const std::string& expression) {
  ComputedColumn column{.name = name, .text = expression};
  TRY(column.expression, ParseExpression(expression));
  return column;
}

Result<iceberg::FieldId> AddComputedColumns(std::span<const ComputedColumn> columns, const iceberg::Schema& existing,
                                            iceberg::FieldId last_column_id, TableLayout& layout) {
  const iceberg::Schema source = layout.schema;
  for (const ComputedColumn& column : columns) {
    if (layout.schema.FindField(column.name) != nullptr) {
      return MakeError(ErrorKind::kInvalidConfig, "computed column \"{}\": the table has a column of that name",
                       column.name);
    }
    TRY(BoundExpression bound,
        BindExpression(column.expression, source).Context("computed column \"{}\": '{}'", column.name, column.text));
    iceberg::Field field{.name = column.name, .type = bound.type, .doc = "computed: " + column.text};
    if (const iceberg::Field* found = existing.FindField(field.name)) {
      if (found->type != field.type || found->required) {
        return MakeError(ErrorKind::kSchemaMismatch,
                         "computed column \"{}\" is {}, but the Iceberg table has a {}{} of that name; give it another "
                         "name, or drop the table in the catalog to copy it anew",
                         field.name, ToString(field.type), found->required ? "required " : "", ToString(found->type));
      }
      field = *found;
    } else {
      field.id = ++last_column_id;
    }
    layout.schema.fields.push_back(std::move(field));
    layout.computed.push_back(std::move(bound.evaluate));
  }
  return last_column_id;
}

}  // namespace firn::pipeline
