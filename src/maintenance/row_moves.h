// Where the rows of rewritten files lie now.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "iceberg/row_positions.h"

namespace firn::maintenance {

class RowMoves {
 public:
  /// Row `from_row` of old file `from` is row `to_row` of new file `to`. By old file the rows come in ascending order.
  void Add(size_t from, int64_t from_row, size_t to, int64_t to_row) {
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

  /// Adds the new places of `rows` of old file `from` to `moved`, by new file. A row that was left out has none.
  void Find(size_t from, const iceberg::RowPositions& rows, std::map<size_t, iceberg::RowPositions>& moved) const {
    if (from >= runs_.size()) return;
    auto run = runs_[from].begin();
    const auto end = runs_[from].end();
    for (const uint64_t position : rows) {
      const auto row = static_cast<int64_t>(position);
      while (run != end && run->from_row + run->rows <= row) ++run;
      if (run == end) return;
      if (row >= run->from_row) moved[run->to].add(static_cast<uint64_t>(run->to_row + row - run->from_row));
    }
  }

 private:
  /// Rows that lay together and still do.
  struct Run {
    int64_t from_row = 0;
    int64_t rows = 0;
    size_t to = 0;
    int64_t to_row = 0;
  };
  std::vector<std::vector<Run>> runs_;  ///< By old file.
};

}  // namespace firn::maintenance
