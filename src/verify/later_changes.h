// What the stream changes after a snapshot of PostgreSQL, up to the position that an Iceberg table is at: applied to
// the snapshot's rows, it gives the rows that the table must hold.
//
//   snapshot at L ──────────── rows ───────────┐
//                                              ├──► rows at P  =  rows of the Iceberg table
//   stream, commits in [L, P) ── LaterChanges ─┘
//
// Rows are kept as digests: what is held is small, whatever their width.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "firn/result.h"
#include "pipeline/table_batch.h"
#include "pipeline/target_table.h"
#include "verify/row_sink.h"

namespace firn::verify {

/// Single-threaded.
class LaterChanges {
 public:
  /// `target` outlives this.
  explicit LaterChanges(const pipeline::TargetTable& target);

  /// The next changes of the stream, in their order.
  Status Add(const pipeline::TableBatch& batch);

  /// A row of the snapshot: true when it still is a row of the table as it was, else nothing of it is left but values
  /// that an UPDATE did not send again, which are taken here.
  bool Keeps(std::string_view key, std::span<const uint64_t> columns);
  /// The rows that the changes made, and (count below 0) those of the snapshot that they took away. After all rows of
  /// the snapshot went through Keeps. kInternal when a row's values are not known.
  Status GiveRows(const RowSink& sink) const;

  bool empty() const { return by_key_.empty() && counted_.empty(); }
  /// Memory held, about.
  size_t bytes() const { return bytes_; }

 private:
  /// A key's row as the changes left it.
  struct KeyedRow {
    bool alive = false;
    std::vector<uint64_t> columns;
    std::vector<int> unknown;  ///< Columns whose values are those of the snapshot's row `origin`.
    std::string origin;
    std::vector<std::string> text;
  };
  struct CountedRow {
    int64_t count = 0;
    std::vector<uint64_t> columns;
    std::vector<std::string> text;
  };

  Status AddByKey(const pipeline::TableBatch& batch);
  Status AddByCount(const pipeline::TableBatch& batch);
  void Count(std::string_view key, std::span<const uint64_t> columns, const std::vector<std::string>& text, int count);
  /// `row`'s columns that were not sent, from the row that was `old_key`'s.
  void FillUnsent(const std::string& old_key, const std::vector<int>& unsent, KeyedRow& row) const;

  const pipeline::TargetTable& target_;
  const std::vector<int> key_columns_;
  std::unordered_map<std::string, KeyedRow> by_key_;       ///< Tables with a key.
  std::unordered_map<std::string, std::string> carriers_;  ///< A snapshot's row → the key that has its values now.
  std::unordered_map<std::string, CountedRow> counted_;    ///< Tables without one.
  size_t bytes_ = 0;
};

}  // namespace firn::verify
