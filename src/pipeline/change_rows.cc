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

Result<std::shared_ptr<arrow::RecordBatch>> MakeChangeRows(const TableLayout& layout, const TableBatch& batch,
                                                           const std::shared_ptr<arrow::RecordBatch>& rows) {
  const auto& old_rows = batch.old_keys.batch;
  const int64_t new_count = rows ? rows->num_rows() : 0;
  arrow::Int64Builder source;  // By change: its row among the new ones and the old ones behind them, or none.
  std::vector<RowFacts> facts;
  facts.reserve(batch.changes.size());
  TransactionCursor transactions(batch);
  for (size_t i = 0; i < batch.changes.size(); ++i) {
    const Change& change = batch.changes[i];
    facts.push_back(FactsOf(OperationOf(change.kind), transactions.Of(static_cast<int32_t>(i))));
    facts.back().before_key = change.old;
    const auto append = change.kind == ChangeKind::kTruncate ? source.AppendNull()
                        : change.kind == ChangeKind::kDelete ? source.Append(new_count + change.old)
                                                             : source.Append(change.row);
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
