#include "pipeline/change_rows.h"

#include <arrow/api.h>
#include <arrow/compute/api.h>

#include <utility>
#include <vector>

#include "base/try.h"
#include "pipeline/added_columns.h"
#include "pipeline/row_facts.h"
#include "storage/arrow_error.h"

namespace firn::pipeline {
namespace {

constexpr std::string_view kDoing = "making rows of changes";

RowOperation OperationOf(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kInsert:
      return RowOperation::kInsert;
    case ChangeKind::kUpdate:
      return RowOperation::kUpdate;
    case ChangeKind::kDelete:
      return RowOperation::kDelete;
    case ChangeKind::kTruncate:
      return RowOperation::kTruncate;
  }
  std::unreachable();
}

}  // namespace

RowsOfChanges RowsOf(const TableBatch& batch, ChangeRange range) {
  // Rows are in the order of the changes that brought them.
  const auto extend = [](ChangeRange& rows, int32_t row) {
    if (row < 0) return;
    if (rows.end == 0) rows.first = row;
    rows.end = row + 1;
  };
  RowsOfChanges found;
  for (int32_t i = range.first; i < range.end; ++i) {
    extend(found.rows, batch.changes[static_cast<size_t>(i)].row);
    extend(found.old, batch.changes[static_cast<size_t>(i)].old);
  }
  return found;
}

Result<std::shared_ptr<arrow::RecordBatch>> MakeChangeRows(const TableLayout& layout, const TableBatch& batch,
                                                           ChangeRange range,
                                                           const std::shared_ptr<arrow::RecordBatch>& rows) {
  const RowsOfChanges rows_of = RowsOf(batch, range);
  std::shared_ptr<arrow::RecordBatch> old_rows;
  if (rows_of.old.end > 0) {
    old_rows = batch.old_keys.batch->Slice(rows_of.old.first, rows_of.old.end - rows_of.old.first);
  }
  const int64_t new_count = rows ? rows->num_rows() : 0;
  arrow::Int64Builder source;  // By change: its row among the new ones and the old ones behind them, or none.
  std::vector<RowFacts> facts;
  facts.reserve(static_cast<size_t>(range.end - range.first));
  TransactionCursor transactions(batch);
  for (int32_t i = range.first; i < range.end; ++i) {
    const Change& change = batch.changes[static_cast<size_t>(i)];
    facts.push_back(FactsOf(OperationOf(change.kind), transactions.Of(i)));
    if (change.old >= 0) facts.back().before_key = change.old - rows_of.old.first;
    const auto append = change.kind == ChangeKind::kTruncate ? source.AppendNull()
                        : change.kind == ChangeKind::kDelete ? source.Append(new_count + facts.back().before_key)
                                                             : source.Append(change.row - rows_of.rows.first);
    TRY_VOID(storage::FromArrow(append, "{}", kDoing));
  }
  TRY(const auto indices, storage::FromArrow(source.Finish(), "{}", kDoing));

  TRY(const auto schema,
      iceberg::ToArrowSchema({.fields = {layout.source_fields().begin(), layout.source_fields().end()}}));
  arrow::ArrayVector columns;
  for (int column = 0; column < schema->num_fields(); ++column) {
    arrow::ArrayVector parts;
    if (rows) parts.push_back(rows->column(column));
    if (old_rows) parts.push_back(old_rows->column(column));
    std::shared_ptr<arrow::Array> all;
    if (parts.empty()) {
      TRY(all, storage::FromArrow(arrow::MakeEmptyArray(schema->field(column)->type()), "{}", kDoing));
    } else {
      TRY(all, storage::FromArrow(arrow::Concatenate(parts), "{}", kDoing));
    }
    TRY(auto taken, storage::FromArrow(arrow::compute::Take(*all, *indices), "{}", kDoing));
    columns.push_back(std::move(taken));
  }
  arrow::ArrayVector before_keys;
  for (const int key : layout.key_columns) {
    if (old_rows) before_keys.push_back(old_rows->column(key));
  }
  return AddColumns(layout, arrow::RecordBatch::Make(schema, indices->length(), std::move(columns)), facts,
                    before_keys);
}

}  // namespace firn::pipeline
