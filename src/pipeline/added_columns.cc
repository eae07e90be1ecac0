#include "pipeline/added_columns.h"

#include <arrow/api.h>
#include <arrow/compute/api.h>

#include <utility>

#include "base/try.h"
#include "storage/arrow_error.h"

namespace firn::pipeline {
namespace {

using ArrayResult = Result<std::shared_ptr<arrow::Array>>;

/// One value a row, of `value(facts)`; a null pointer or nullopt is NULL.
template <typename Builder, typename Value>
ArrayResult Build(Builder& builder, int64_t rows, std::span<const RowFacts> facts, Value value) {
  constexpr std::string_view kDoing = "adding columns";
  TRY_VOID(storage::FromArrow(builder.Reserve(rows), "{}", kDoing));
  for (int64_t row = 0; row < rows; ++row) {
    const auto cell = value(facts.size() == 1 ? facts.front() : facts[static_cast<size_t>(row)]);
    TRY_VOID(storage::FromArrow(cell ? builder.Append(*cell) : builder.AppendNull(), "{}", kDoing));
  }
  return storage::FromArrow(builder.Finish(), "{}", kDoing);
}

/// A struct of the key columns' values at RowFacts::before_key; null where there is none.
ArrayResult MakeBeforeKeys(const std::shared_ptr<arrow::DataType>& type, int64_t rows, std::span<const RowFacts> facts,
                           const arrow::ArrayVector& before_keys) {
  constexpr std::string_view kDoing = "adding the keys before changes";
  if (before_keys.empty()) return storage::FromArrow(arrow::MakeArrayOfNull(type, rows), "{}", kDoing);
  arrow::Int32Builder chosen;
  TRY(const auto indices, Build(chosen, rows, facts, [](const RowFacts& row) {
        return row.before_key < 0 ? std::nullopt : std::optional(row.before_key);
      }));
  arrow::ArrayVector members;
  for (const auto& column : before_keys) {
    TRY(auto taken, storage::FromArrow(arrow::compute::Take(*column, *indices), "{}", kDoing));
    members.push_back(std::move(taken));
  }
  return std::make_shared<arrow::StructArray>(type, rows, std::move(members), indices->null_bitmap(),
                                              indices->null_count());
}

}  // namespace

Result<std::shared_ptr<arrow::Array>> MakeOwnColumn(OwnColumn column, const std::shared_ptr<arrow::DataType>& type,
                                                    int64_t rows, std::span<const RowFacts> facts) {
  arrow::StringBuilder text;
  arrow::Int64Builder number;
  arrow::BooleanBuilder truth;
  arrow::TimestampBuilder time(type, arrow::default_memory_pool());
  switch (column) {
    case OwnColumn::kOperation:
      return Build(text, rows, facts, [](const RowFacts& row) { return std::optional(ToString(row.operation)); });
    case OwnColumn::kLsn:
      return Build(number, rows, facts,
                   [](const RowFacts& row) { return std::optional(static_cast<int64_t>(row.lsn.value)); });
    case OwnColumn::kCommittedAt:
    case OwnColumn::kValidFrom:
      return Build(time, rows, facts, [](const RowFacts& row) { return std::optional(row.committed_at_us); });
    case OwnColumn::kBeforeKey:
      return MakeError(ErrorKind::kInternal, "the key before a change is not made of facts alone");
    case OwnColumn::kDeleted:
      return Build(truth, rows, facts, [](const RowFacts& row) { return std::optional(row.deleted); });
    case OwnColumn::kValidTo:
      return Build(time, rows, facts, [](const RowFacts& row) { return row.valid_to_us; });
    case OwnColumn::kCurrent:
      return Build(truth, rows, facts, [](const RowFacts& row) { return std::optional(!row.valid_to_us); });
  }
  std::unreachable();
}

Result<std::shared_ptr<arrow::RecordBatch>> AddColumns(const TableLayout& layout,
                                                       const std::shared_ptr<arrow::RecordBatch>& rows,
                                                       std::span<const RowFacts> facts,
                                                       const arrow::ArrayVector& before_keys) {
  if (!layout.HasAddedColumns()) return rows;
  if (!layout.own_columns.empty() && facts.size() != 1 && static_cast<int64_t>(facts.size()) != rows->num_rows()) {
    return MakeError(ErrorKind::kInternal, "facts of {} rows for a batch of {}", facts.size(), rows->num_rows());
  }
  TRY(const auto schema, iceberg::ToArrowSchema(layout.schema));
  arrow::ArrayVector columns = rows->columns();
  for (const ColumnFunction& compute : layout.computed) {
    TRY(columns.emplace_back(), compute(*rows));
  }
  for (const OwnColumn column : layout.own_columns) {
    const auto& type = schema->field(static_cast<int>(columns.size()))->type();
    TRY(auto array, column == OwnColumn::kBeforeKey ? MakeBeforeKeys(type, rows->num_rows(), facts, before_keys)
                                                    : MakeOwnColumn(column, type, rows->num_rows(), facts));
    columns.push_back(std::move(array));
  }
  return arrow::RecordBatch::Make(schema, rows->num_rows(), std::move(columns));
}

}  // namespace firn::pipeline
