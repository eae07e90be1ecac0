// A snapshot's summary (spec: "Optional Snapshot Summary Fields"): what it adds and removes, and the totals after it.
// Keys, and which are left out when zero, as Java writes them. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>

#include "iceberg/data_file.h"
#include "iceberg/table_metadata.h"

namespace firn::iceberg {

class SnapshotSummary {
 public:
  void Add(const DataFile& file) { Count(file, added_); }
  void Remove(const DataFile& file) { Count(file, removed_); }

  /// append, delete or overwrite: rows came, rows went, or both (spec: "Snapshots", operation).
  std::string Operation() const;
  /// `previous`: the summary that the totals go on from; null: from nothing. A total that it lacks stays unknown.
  Properties Build(const Properties* previous) const;

 private:
  struct Counts {
    int64_t data_files = 0;
    int64_t records = 0;
    int64_t files_size = 0;
    int64_t delete_files = 0;
    int64_t position_delete_files = 0;
    int64_t deletion_vectors = 0;
    int64_t position_deletes = 0;
    int64_t equality_delete_files = 0;
    int64_t equality_deletes = 0;
  };
  void Count(const DataFile& file, Counts& counts);

  Counts added_;
  Counts removed_;
  std::unordered_set<std::string> changed_partitions_;
};

}  // namespace firn::iceberg
