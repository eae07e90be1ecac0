#include "maintenance/rewrite_order.h"

#include "iceberg/row_order.h"
#include "pipeline/change_mode.h"
#include "pipeline/sort_by.h"

namespace firn::maintenance {

const iceberg::SortOrder* RewriteOrder(const iceberg::TableMetadata& metadata) {
  const auto mode = metadata.properties.find(pipeline::kChangeModeProperty);
  const bool is_of_changes =
      mode != metadata.properties.end() && mode->second == ToString(pipeline::ChangeMode::kAppend);
  const iceberg::SortOrder* order = metadata.FindSortOrder(metadata.default_sort_order_id);
  if (is_of_changes || order == nullptr || order->fields.empty()) return nullptr;
  return iceberg::CanSort(metadata.CurrentSchema(), *order) ? order : nullptr;
}

std::string Describe(const iceberg::SortOrder* order, const iceberg::TableMetadata& metadata) {
  std::string text;
  if (order == nullptr) return text;
  for (const iceberg::SortField& field : order->fields) {
    const iceberg::Field* column = metadata.CurrentSchema().FindField(field.source_id);
    if (!text.empty()) text += ", ";
    const pipeline::SortTerm term{
        .term = {.column = column == nullptr ? "?" : column->name, .transform = field.transform},
        .descending = field.descending,
        .nulls_first = field.nulls_first};
    text += Written(term);
  }
  return text;
}

}  // namespace firn::maintenance
