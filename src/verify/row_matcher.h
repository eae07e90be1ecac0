// The second look: the rows of some buckets of both sides, by key, and what differs. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "verify/row_sink.h"
#include "verify/table_report.h"

namespace firn::verify {

class RowMatcher {
 public:
  /// `columns`: names, for what is told of a row that differs.
  RowMatcher(const std::vector<size_t>& buckets, std::vector<std::string> columns)
      : buckets_(buckets.begin(), buckets.end()), columns_(std::move(columns)) {}

  void AddSource(const Row& row) { Add(row, &Sides::source); }
  void AddTable(const Row& row) { Add(row, &Sides::table); }

  /// By key as text; all of them.
  std::vector<Difference> Differences() const;

 private:
  using Counts = std::map<std::vector<uint64_t>, int64_t>;  ///< Rows of a key, by their digests.
  struct Sides {
    Counts source;
    Counts table;
    std::vector<std::string> key_text;
  };
  void Add(const Row& row, Counts Sides::* side);

  std::unordered_set<size_t> buckets_;
  std::vector<std::string> columns_;
  std::unordered_map<std::string, Sides> keys_;
};

}  // namespace firn::verify
