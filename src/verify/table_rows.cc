#include "verify/table_rows.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>

#include <numeric>

#include "base/try.h"
#include "iceberg/table_scan.h"
#include "index/key_codec.h"
#include "pipeline/standing_rows.h"
#include "verify/row_digests.h"

namespace firn::verify {
namespace {

constexpr size_t kTextMax = 80;

std::string TextOf(const arrow::Array& column, int64_t row) {
  if (column.IsNull(row)) return "NULL";
  const auto value = column.GetScalar(row);
  std::string text = value.ok() ? (*value)->ToString() : value.status().ToString();
  if (text.size() <= kTextMax) return text;
  // Not in the middle of a UTF-8 sequence.
  size_t end = kTextMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

}  // namespace

std::vector<int> KeyColumnsOf(const pipeline::TargetTable& target) {
  if (target.layout.identity != pipeline::RowIdentity::kAppendOnly) return target.layout.key_columns;
  std::vector<int> columns(target.mapping.columns.size());
  std::iota(columns.begin(), columns.end(), 0);
  return columns;
}

std::vector<std::string> TextsOf(const arrow::RecordBatch& batch, const std::vector<int>& columns, int64_t row) {
  std::vector<std::string> texts;
  for (const int column : columns) texts.push_back(TextOf(*batch.column(column), row));
  return texts;
}

Status GiveRows(const arrow::RecordBatch& batch, const std::vector<int64_t>& rows, const pipeline::TargetTable& target,
                const RowSink& sink) {
  const std::vector<int> key_columns = KeyColumnsOf(target);
  TRY(const auto keys, index::EncodeKeys(batch, key_columns));
  TRY(const auto digests, RowDigests::Make(batch, target.mapping.columns.size()));
  int64_t at = 0;
  const std::function<std::vector<std::string>()> key_text = [&] { return TextsOf(batch, key_columns, at); };
  for (const int64_t row : rows) {
    at = row;
    const auto i = static_cast<size_t>(row);
    sink({.key = keys[i], .columns = digests[i], .key_text = key_text});
  }
  return {};
}

Status ReadTableRows(storage::FileStore& store, const pipeline::TargetTable& target, const RowSink& sink,
                     const std::stop_token& stop) {
  iceberg::Schema projection{.schema_id = target.layout.schema.schema_id};
  for (iceberg::Field field : target.layout.source_fields()) {
    field.required = false;
    projection.fields.push_back(std::move(field));
  }
  pipeline::ProjectStanding(target.layout, projection);
  iceberg::ManifestCache manifests;
  const auto& metadata = target.table.metadata;
  TRY(auto scan, iceberg::TableScan::Plan(store, metadata, metadata->CurrentSnapshot(), projection, manifests));
  for (const iceberg::LiveDataFile& file : scan.files()) {
    TRY(auto reader, scan.Open(file));
    while (true) {
      if (stop.stop_requested()) return MakeError(ErrorKind::kCancelled, "stopped on request");
      TRY(const auto live, reader->Next());
      if (!live) break;
      TRY(const auto standing, pipeline::StandingRows(target.layout, *live->rows));
      TRY_VOID(GiveRows(*live->rows, standing, target, sink));
    }
  }
  return {};
}

}  // namespace firn::verify
