// Which keys changed in tables between two positions of the WAL: read by a stream of its own, on a temporary copy of
// the pipeline's slot, while the pipeline's own stream goes on.
//
// With these keys, rows that were read at any moments between the two positions become the rows of the later one: what
// did not change is the same at both, and what did is read again (pipeline/copy_convergence).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "firn/result.h"
#include "pipeline/source_setup.h"
#include "pipeline/target_table.h"
#include "postgres/replication_stream.h"

namespace arrow {
class RecordBatch;
}

namespace firn::pipeline {

/// Single-threaded.
class ChangedKeys {
 public:
  ChangedKeys() = default;
  ChangedKeys(ChangedKeys&&) = default;
  ChangedKeys& operator=(ChangedKeys&&) = default;

  /// `key`: by index::EncodeKeys, of the table's key columns. `sql`: the same as a row of a VALUES list.
  void Add(std::string_view key, std::string sql);
  bool Contains(std::string_view key) const { return keys_.contains(key); }
  /// True once for each key that changed.
  bool Take(std::string_view key);

  /// For each key, as Add got it, in the same order.
  const std::vector<std::string_view>& encoded() const { return encoded_; }
  const std::vector<std::string>& sql() const { return sql_; }
  bool empty() const { return keys_.empty(); }
  /// Memory held, about.
  size_t bytes() const { return bytes_; }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_map<std::string, bool, Hash, std::equal_to<>> keys_;  ///< Whether it was taken.
  std::vector<std::string_view> encoded_;                              ///< In keys_, whose nodes stay where they are.
  std::vector<std::string> sql_;
  size_t bytes_ = 0;
};

/// The rows whose key changed, each key's once.
Result<std::shared_ptr<arrow::RecordBatch>> TakeChangedRows(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                            const std::vector<int>& key_columns, ChangedKeys& keys);

/// A table with a key, and from where on its changes are wanted.
struct ChangedTable {
  const TargetTable& target;
  Lsn since;  ///< Transactions whose commit record starts at or after it.
  ChangedKeys keys;
  std::string unclear;  ///< Why its keys can't be told; "" where they can.
  /// What SpillKeys has taken of them.
  int parts = 0;
  size_t bytes_spilled = 0;
};

/// Takes the table's keys away, to another place than memory.
using SpillKeys = std::function<Status(ChangedTable&)>;

/// The pipeline's changes from `since` on, whatever its slot is told meanwhile. kSourceLost when the slot no longer has
/// them.
Result<std::unique_ptr<postgres::ReplicationStream>> OpenChangesSince(const SourceOptions& source, Lsn since);

/// Takes what changes up to `until`: transactions whose commit record starts before it. The tables must have one
/// definition and one heap all the time. `stream`: from the least `since` on, values as text. `bytes_max`: of all keys;
/// with more, those of the table that has most are spilled. kCancelled on request.
Status ReadChangedKeys(postgres::ReplicationStream& stream, std::span<ChangedTable> tables, Lsn until, size_t bytes_max,
                       const SpillKeys& spill, const std::stop_token& stop);

}  // namespace firn::pipeline
