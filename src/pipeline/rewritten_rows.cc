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
    std::vector<int64_t> row_numbers;
    for (const auto& [row, i] : rows) row_numbers.push_back(row);
    const auto rewrite = [&](const std::shared_ptr<arrow::RecordBatch>& batch, size_t first) -> Status {
      std::vector<RowFacts> facts;
      for (size_t i = first; i < first + static_cast<size_t>(batch->num_rows()); ++i) {
        facts.push_back(rewritten[static_cast<size_t>(rows[i].second)].facts);
      }
      TRY(const FallenRows fallen, Fall(layout, batch, facts));
      std::vector<int32_t> which;
      for (const int64_t taken : fallen.taken) which.push_back(rows[first + static_cast<size_t>(taken)].second);
      return which.empty() ? Status{} : sink(fallen.rows, which);
    };
    TRY_VOID(reader->ReadRows(row_numbers, rewrite).Context("reading rows that change"));
  }
  return {};
}

}  // namespace firn::pipeline
