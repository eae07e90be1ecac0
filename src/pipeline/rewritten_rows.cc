#include "pipeline/rewritten_rows.h"

#include <arrow/api.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "base/try.h"
#include "iceberg/data_file_reader.h"
#include "pipeline/standing_rows.h"

namespace firn::pipeline {
namespace {

/// Rows in memory at a time.
constexpr size_t kRowsPerRead = 16'384;

}  // namespace

Status ReadRewrittenRows(storage::FileStore& store, const TableLayout& layout, std::span<const RewrittenRow> rewritten,
                         std::span<const std::optional<index::RowPosition>> positions,
                         const std::function<Result<std::string>(uint32_t)>& location, const RewrittenRowsSink& sink) {
  std::map<uint32_t, std::vector<std::pair<uint32_t, int32_t>>> by_file;  // file → (row, index into rewritten)
  for (size_t i = 0; i < rewritten.size(); ++i) {
    const auto& position = positions[rewritten[i].removed];
    if (position) by_file[position->file].emplace_back(position->row, static_cast<int32_t>(i));
  }
  for (auto& [file, rows] : by_file) {
    std::ranges::sort(rows);
    TRY(const std::string path, location(file));
    TRY(auto reader, iceberg::DataFileReader::Open(store, path, layout.schema));
    for (size_t begin = 0; begin < rows.size(); begin += kRowsPerRead) {
      const size_t end = std::min(rows.size(), begin + kRowsPerRead);
      std::vector<int64_t> row_numbers;
      std::vector<RowFacts> facts;
      for (size_t i = begin; i < end; ++i) {
        row_numbers.push_back(rows[i].first);
        facts.push_back(rewritten[rows[i].second].facts);
      }
      TRY(const auto batch, reader->ReadRows(row_numbers).Context("reading rows that change from {}", path));
      TRY(const FallenRows fallen, Fall(layout, batch, facts));
      std::vector<int32_t> which;
      for (const int64_t taken : fallen.taken) which.push_back(rows[begin + static_cast<size_t>(taken)].second);
      if (!which.empty()) TRY_VOID(sink(fallen.rows, which));
    }
  }
  return {};
}

}  // namespace firn::pipeline
