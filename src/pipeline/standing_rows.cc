#include "pipeline/standing_rows.h"

#include <arrow/api.h>
#include <arrow/compute/api.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "base/try.h"
#include "pipeline/added_columns.h"
#include "pipeline/own_columns.h"
#include "storage/arrow_error.h"

namespace firn::pipeline {
namespace {

/// The column that says of a row whether it stands; nothing in the modes that keep no others.
std::optional<OwnColumn> StandingColumn(ChangeMode mode) {
  switch (mode) {
    case ChangeMode::kSoftDelete:
      return OwnColumn::kDeleted;
    case ChangeMode::kHistory:
      return OwnColumn::kCurrent;
    case ChangeMode::kMirror:
    case ChangeMode::kAppend:
      return std::nullopt;
  }
  std::unreachable();
}

/// What a row's fall changes; its other columns stay as they are.
bool FallChanges(ChangeMode mode, OwnColumn column) {
  if (mode == ChangeMode::kHistory) return column == OwnColumn::kValidTo || column == OwnColumn::kCurrent;
  return true;
}

}  // namespace

void ProjectStanding(const TableLayout& layout, iceberg::Schema& projection) {
  const auto column = StandingColumn(layout.mode);
  if (column) projection.fields.push_back(*layout.schema.FindField(NameOf(*column)));
}

std::vector<int64_t> AllRows(const arrow::RecordBatch& batch) {
  std::vector<int64_t> rows(static_cast<size_t>(batch.num_rows()));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

Result<std::vector<int64_t>> StandingRows(const TableLayout& layout, const arrow::RecordBatch& batch) {
  const auto column = StandingColumn(layout.mode);
  if (!column) return AllRows(batch);
  std::vector<int64_t> rows;
  const auto flags =
      std::dynamic_pointer_cast<arrow::BooleanArray>(batch.GetColumnByName(std::string(NameOf(*column))));
  if (!flags) return MakeError(ErrorKind::kInternal, "a batch of the table without its column {}", NameOf(*column));
  // NULL is in rows that are older than the column: they are the source's.
  const bool stands = layout.mode == ChangeMode::kHistory;
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    if (flags->IsNull(row) || flags->Value(row) == stands) rows.push_back(row);
  }
  return rows;
}

Result<FallenRows> Fall(const TableLayout& layout, const std::shared_ptr<arrow::RecordBatch>& rows,
                        std::span<const RowFacts> facts) {
  constexpr std::string_view kDoing = "rewriting rows";
  FallenRows fallen{.rows = rows};
  const auto first_own = static_cast<int>(layout.schema.fields.size() - layout.own_columns.size());
  std::vector<RowFacts> kept_facts;
  const auto began = std::ranges::find(layout.own_columns, OwnColumn::kValidFrom);
  for (int64_t row = 0; row < rows->num_rows(); ++row) {
    const RowFacts& fact = facts.size() == 1 ? facts.front() : facts[static_cast<size_t>(row)];
    if (began != layout.own_columns.end()) {
      const auto& times = static_cast<const arrow::TimestampArray&>(
          *rows->column(first_own + static_cast<int>(began - layout.own_columns.begin())));
      if (times.IsValid(row) && fact.valid_to_us == times.Value(row)) continue;
    }
    fallen.taken.push_back(row);
    kept_facts.push_back(fact);
  }
  if (static_cast<int64_t>(fallen.taken.size()) < rows->num_rows()) {
    const arrow::Int64Array indices(static_cast<int64_t>(fallen.taken.size()), arrow::Buffer::Wrap(fallen.taken));
    TRY(const arrow::Datum taken,
        storage::FromArrow(arrow::compute::Take(rows, indices, arrow::compute::TakeOptions::NoBoundsCheck()), "{}",
                           kDoing));
    fallen.rows = taken.record_batch();
  }
  for (size_t i = 0; i < layout.own_columns.size(); ++i) {
    if (!FallChanges(layout.mode, layout.own_columns[i])) continue;
    const int column = first_own + static_cast<int>(i);
    const auto& field = rows->schema()->field(column);
    TRY(auto array, MakeOwnColumn(layout.own_columns[i], field->type(), fallen.rows->num_rows(), kept_facts));
    TRY(fallen.rows, storage::FromArrow(fallen.rows->SetColumn(column, field, array), "{}", kDoing));
  }
  return fallen;
}

}  // namespace firn::pipeline
