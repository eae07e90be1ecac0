#include "pipeline/copy_convergence.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/try.h"
#include "iceberg/data_file_reader.h"
#include "index/key_codec.h"
#include "pipeline/key_deletes.h"

namespace firn::pipeline {
namespace {

/// Few enough for one plan, which looks each up by the key's index.
constexpr size_t kKeysPerRequest = 1'000;

std::string InBlocks(const std::vector<postgres::BlockRange>& blocks) {
  std::string condition;
  for (const postgres::BlockRange& range : blocks) {
    condition += fmt::format("{}(ctid >= '({},0)'::tid", condition.empty() ? "" : " OR ", range.first);
    if (range.last) condition += fmt::format(" AND ctid < '({},0)'::tid", *range.last);
    condition += ")";
  }
  return condition;
}

/// How many rows of the file are marked.
Result<int64_t> MarkChanged(storage::FileStore& store, const TargetTable& target, const iceberg::DataFile& file,
                            const ChangedKeys& keys, LiveFiles& files) {
  iceberg::Schema projection = KeySchema(target.layout);
  for (iceberg::Field& field : projection.fields) field.required = false;
  std::vector<int> columns(projection.fields.size());
  std::iota(columns.begin(), columns.end(), 0);
  TRY(auto reader, iceberg::OpenDataFile(store, *target.planned, file, projection));
  int64_t marked = 0;
  uint64_t row = 0;
  while (true) {
    TRY(const auto batch, reader->Next().Context("reading {}", file.file_path));
    if (!batch) return marked;
    TRY(const auto encoded, index::EncodeKeys(*batch, columns));
    for (size_t i = 0; i < encoded.size(); ++i, ++row) {
      if (!keys.Contains(encoded[i])) continue;
      TRY_VOID(files.MarkDeleted(file.file_path, row));
      ++marked;
    }
  }
}

}  // namespace

std::vector<postgres::CopyRequest> PlanChangedRows(const postgres::CopyRequest& whole, const TargetTable& target,
                                                   const ChangedKeys& keys,
                                                   const std::vector<postgres::BlockRange>& blocks) {
  std::string columns;
  for (const int column : target.layout.key_columns) {
    columns += (columns.empty() ? "(" : ",") +
               postgres::QuoteIdentifier(target.source.columns[static_cast<size_t>(column)].name);
  }
  const std::string in_blocks = InBlocks(blocks);
  std::vector<postgres::CopyRequest> requests;
  for (size_t first = 0; first < keys.sql().size(); first += kKeysPerRequest) {
    const auto some = std::span(keys.sql()).subspan(first, std::min(kKeysPerRequest, keys.sql().size() - first));
    postgres::CopyRequest& request = requests.emplace_back(whole);
    request.blocks.reset();
    request.condition = fmt::format("{}) IN (VALUES {}) AND ({})", columns, fmt::join(some, ","), in_blocks);
  }
  return requests;
}

CopyConvergence::CopyConvergence(storage::FileStore& store, const TargetTable& target,
                                 std::vector<iceberg::DataFile> before, int files_at_once)
    : store_(store), target_(target), before_(std::move(before)), files_(store, /*small_deletes=*/0, files_at_once) {
  files_.LoadNothing();  // None of the files has deletes yet.
  for (const iceberg::DataFile& file : before_) {
    files_.Add(file.file_path);
    files_.Close(file);
  }
}

Status CopyConvergence::LeaveOut(const ChangedKeys& keys) {
  if (keys.empty()) return {};
  for (const iceberg::DataFile& file : before_) {
    TRY(const int64_t marked, MarkChanged(store_, target_, file, keys, files_));
    rows_left_out_ += marked;
  }
  return {};
}

Result<iceberg::RowDelta> CopyConvergence::Finish(const std::vector<iceberg::DataFile>& now,
                                                  const std::function<std::string(std::string_view ending)>& name,
                                                  iceberg::Compression compression) {
  for (const iceberg::DataFile& file : now) {
    files_.Add(file.file_path);
    files_.Close(file);
  }
  return files_.MakeDelta(target_.planned->format_version, name, compression);
}

}  // namespace firn::pipeline
