#include "maintenance/row_moves.h"

#include "base/try.h"

namespace firn::maintenance {
namespace {

/// Of sorted rows that are kept in memory: 8 MB.
constexpr size_t kNumbersInMemory = 1 << 20;

}  // namespace

void RowMoves::Add(size_t from, int64_t from_row, size_t to, int64_t to_row) {
  if (from >= runs_.size()) runs_.resize(from + 1);
  std::vector<Run>& runs = runs_[from];
  if (!runs.empty()) {
    Run& last = runs.back();
    if (last.to == to && last.from_row + last.rows == from_row && last.to_row + last.rows == to_row) {
      ++last.rows;
      return;
    }
  }
  runs.push_back({.from_row = from_row, .rows = 1, .to = to, .to_row = to_row});
}

Status RowMoves::AddSorted(std::span<const int64_t> origins, size_t to, int64_t to_row) {
  sorted_.insert(sorted_.end(), {static_cast<int64_t>(to), to_row, static_cast<int64_t>(origins.size())});
  sorted_.insert(sorted_.end(), origins.begin(), origins.end());
  if (sorted_.size() < kNumbersInMemory) return {};
  if (!file_) {
    TRY(TemporaryFile file, TemporaryFile::Make(folder_));
    file_.emplace(std::move(file));
  }
  TRY_VOID(file_->Append({reinterpret_cast<const char*>(sorted_.data()), sorted_.size() * sizeof(int64_t)}));
  spilled_.push_back(static_cast<int64_t>(sorted_.size()));
  sorted_.clear();
  return {};
}

Result<std::map<size_t, iceberg::RowPositions>> RowMoves::Find(
    const std::map<size_t, iceberg::RowPositions>& rows) const {
  std::map<size_t, iceberg::RowPositions> moved;
  for (const auto& [from, positions] : rows) {
    if (from >= runs_.size()) continue;
    auto run = runs_[from].begin();
    const auto end = runs_[from].end();
    for (const uint64_t position : positions) {
      const auto row = static_cast<int64_t>(position);
      while (run != end && run->from_row + run->rows <= row) ++run;
      if (run == end) break;
      if (row >= run->from_row) moved[run->to].add(static_cast<uint64_t>(run->to_row + row - run->from_row));
    }
  }
  FindSorted(sorted_, rows, moved);
  std::vector<int64_t> part;
  int64_t offset = 0;
  for (const int64_t numbers : spilled_) {
    part.resize(static_cast<size_t>(numbers));
    const size_t bytes = part.size() * sizeof(int64_t);
    TRY_VOID(file_->Read(reinterpret_cast<char*>(part.data()), bytes, offset));
    offset += static_cast<int64_t>(bytes);
    FindSorted(part, rows, moved);
  }
  return moved;
}

void RowMoves::FindSorted(std::span<const int64_t> sorted, const std::map<size_t, iceberg::RowPositions>& rows,
                          std::map<size_t, iceberg::RowPositions>& moved) {
  constexpr size_t kHeaderNumbers = 3;
  while (!sorted.empty()) {
    const auto to = static_cast<size_t>(sorted[0]);
    const int64_t to_row = sorted[1];
    const auto origins = sorted.subspan(kHeaderNumbers, static_cast<size_t>(sorted[2]));
    sorted = sorted.subspan(kHeaderNumbers + origins.size());
    for (size_t i = 0; i < origins.size(); ++i) {
      const auto found = rows.find(RowOrigin::File(origins[i]));
      if (found == rows.end() || !found->second.contains(static_cast<uint64_t>(RowOrigin::Row(origins[i])))) continue;
      moved[to].add(static_cast<uint64_t>(to_row) + i);
    }
  }
}

}  // namespace firn::maintenance
