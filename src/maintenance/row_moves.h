// Where the rows of rewritten files lie now.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "firn/result.h"
#include "iceberg/row_positions.h"
#include "maintenance/temporary_file.h"

namespace firn::maintenance {

/// A row of an old file, as one number: rows in the lower 40 bits.
struct RowOrigin {
  static constexpr int kRowBits = 40;
  static int64_t Of(size_t from, int64_t row) { return static_cast<int64_t>(from) << kRowBits | row; }
  static size_t File(int64_t origin) { return static_cast<size_t>(origin >> kRowBits); }
  static int64_t Row(int64_t origin) { return origin & ((int64_t{1} << kRowBits) - 1); }
};

/// Rows that kept their order take memory by run; those that were sorted, a number each, which are in a temporary file
/// but for the last of them.
class RowMoves {
 public:
  RowMoves() = default;
  /// `folder`: of the temporary file (TemporaryFile).
  explicit RowMoves(std::string folder) : folder_(std::move(folder)) {}

  /// Row `from_row` of old file `from` is row `to_row` of new file `to`. By old file the rows come in ascending order.
  void Add(size_t from, int64_t from_row, size_t to, int64_t to_row);
  /// The rows with these origins are those of new file `to` from `to_row` on. In any order.
  Status AddSorted(std::span<const int64_t> origins, size_t to, int64_t to_row);

  /// The new places, by new file, of `rows`, by old file. A row that was left out has none.
  Result<std::map<size_t, iceberg::RowPositions>> Find(const std::map<size_t, iceberg::RowPositions>& rows) const;

 private:
  /// Rows that lay together and still do.
  struct Run {
    int64_t from_row = 0;
    int64_t rows = 0;
    size_t to = 0;
    int64_t to_row = 0;
  };
  static void FindSorted(std::span<const int64_t> sorted, const std::map<size_t, iceberg::RowPositions>& rows,
                         std::map<size_t, iceberg::RowPositions>& moved);

  std::string folder_;
  std::vector<std::vector<Run>> runs_;  ///< By old file.
  /// Of rows that lie together now: new file, first row, number of rows, and the origins of each; parts of it are in
  /// the file.
  std::vector<int64_t> sorted_;
  std::vector<int64_t> spilled_;  ///< Numbers in each part, in the order of the file.
  std::optional<TemporaryFile> file_;
};

}  // namespace firn::maintenance
