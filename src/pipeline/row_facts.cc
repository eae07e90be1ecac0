#include "pipeline/row_facts.h"

#include <utility>

namespace firn::pipeline {

std::string_view ToString(RowOperation operation) {
  switch (operation) {
    case RowOperation::kCopy:
      return "copy";
    case RowOperation::kInsert:
      return "insert";
    case RowOperation::kUpdate:
      return "update";
    case RowOperation::kDelete:
      return "delete";
    case RowOperation::kTruncate:
      return "truncate";
  }
  std::unreachable();
}

std::vector<RowFacts> FactsOfRows(const TableBatch& batch, std::span<const int32_t> rows) {
  std::vector<RowFacts> facts;
  facts.reserve(rows.size());
  TransactionCursor transactions(batch);
  for (size_t i = 0; i < batch.changes.size() && facts.size() < rows.size(); ++i) {
    const Change& change = batch.changes[i];
    // Rows are in the order of the changes that brought them.
    if (change.row != rows[facts.size()]) continue;
    const auto operation = change.kind == ChangeKind::kInsert ? RowOperation::kInsert : RowOperation::kUpdate;
    facts.push_back(FactsOf(operation, transactions.Of(static_cast<int32_t>(i))));
  }
  return facts;
}

}  // namespace firn::pipeline
