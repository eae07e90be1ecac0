#include "verify/table_comparison.h"

#include <arrow/record_batch.h>

#include <algorithm>

#include "base/try.h"
#include "encode/row_encoder.h"
#include "index/key_codec.h"
#include "pipeline/table_copy.h"
#include "verify/bucket_sums.h"
#include "verify/row_matcher.h"
#include "verify/table_rows.h"

namespace firn::verify {
namespace {

constexpr int64_t kBatchRows = 4096;
constexpr size_t kBatchBytes = 8 << 20;
/// Rows of both sides that a second look holds.
constexpr int64_t kMatchedRowsMax = 500'000;
constexpr size_t kToldMax = 100;

/// The source's rows at the Iceberg table's position.
Status ReadSourceRows(const Sides& sides, const RowSink& sink, const std::stop_token& stop) {
  const pipeline::TargetTable& target = sides.target;
  const RowSink kept = [&](const Row& row) {
    if (sides.changes.Keeps(row.key, row.columns)) sink(row);
  };
  TRY(auto encoder, encode::RowEncoder::Make(target.mapping));
  const auto give = [&]() -> Status {
    if (encoder->rows() == 0) return {};
    if (stop.stop_requested()) return MakeError(ErrorKind::kCancelled, "stopped on request");
    TRY(const encode::EncodedRows encoded, encoder->Finish());
    std::vector<int64_t> all(static_cast<size_t>(encoded.batch->num_rows()));
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
    return GiveRows(*encoded.batch, all, target, kept);
  };
  for (const auto& request : pipeline::PlanCopy(target, {})) {
    TRY_VOID(sides.reader.Start(request));
    while (true) {
      TRY(const std::span<const WireValue> row, sides.reader.Next());
      if (row.empty()) break;
      TRY_VOID(encoder->AppendRow(row));
      if (encoder->rows() >= kBatchRows || encoder->bytes() >= kBatchBytes) TRY_VOID(give());
    }
  }
  TRY_VOID(give());
  return sides.changes.GiveRows(sink);
}

/// Those of the differing buckets that are small enough together to be looked at.
std::vector<size_t> ChooseBuckets(const std::vector<size_t>& differing, const BucketSums& source,
                                  const BucketSums& table) {
  std::vector<size_t> chosen;
  int64_t rows = 0;
  for (const size_t bucket : differing) {
    rows += source.rows_in(bucket) + table.rows_in(bucket);
    if (!chosen.empty() && rows > kMatchedRowsMax) break;
    chosen.push_back(bucket);
  }
  return chosen;
}

}  // namespace

Status CompareTable(const Sides& sides, TableReport& report, const std::stop_token& stop) {
  BucketSums source, table;
  TRY_VOID(ReadSourceRows(sides, [&](const Row& row) { source.Add(row); }, stop));
  TRY_VOID(ReadTableRows(sides.store, sides.target, [&](const Row& row) { table.Add(row); }, stop));
  report.source_rows = source.rows();
  report.table_rows = table.rows();
  std::vector<std::string> columns;
  for (const encode::ColumnMapping& column : sides.target.mapping.columns) columns.push_back(column.field.name);
  report.key_columns.clear();
  for (const int column : KeyColumnsOf(sides.target))
    report.key_columns.push_back(columns[static_cast<size_t>(column)]);

  const std::vector<size_t> differing = source.DifferingFrom(table);
  report.outcome = differing.empty() ? Outcome::kEqual : Outcome::kDifferent;
  if (differing.empty()) return {};

  const std::vector<size_t> chosen = ChooseBuckets(differing, source, table);
  RowMatcher matcher(chosen, columns);
  TRY_VOID(ReadSourceRows(sides, [&](const Row& row) { matcher.AddSource(row); }, stop));
  TRY_VOID(ReadTableRows(sides.store, sides.target, [&](const Row& row) { matcher.AddTable(row); }, stop));
  report.differences = matcher.Differences();
  report.differing = static_cast<int64_t>(report.differences.size());
  report.has_more = chosen.size() < differing.size();
  if (report.differences.size() > kToldMax) report.differences.resize(kToldMax);
  return {};
}

}  // namespace firn::verify
