// Which rows of data files are deleted, whatever the form of the deletes: vectors, position delete files of any scope,
// and equality deletes, which are looked up in the data file and become positions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "firn/result.h"
#include "iceberg/row_positions.h"
#include "iceberg/table_files.h"
#include "iceberg/table_metadata.h"
#include "storage/file_store.h"

namespace firn::iceberg {

/// Keeps what it read of delete files that apply to several data files, within a bound: ask for data files of the same
/// partition one after another. Single-threaded.
class DeletedRows {
 public:
  static constexpr size_t kMemoryMax = 256 << 20;

  explicit DeletedRows(storage::FileStore& store, size_t memory_max = kMemoryMax);
  ~DeletedRows();
  DeletedRows(DeletedRows&&) noexcept;
  DeletedRows& operator=(DeletedRows&&) noexcept;

  /// `file`: of `metadata`'s table, as PlanFiles gives it.
  Result<RowPositions> Of(const TableMetadata& metadata, const LiveDataFile& file);
  /// Gives the memory back.
  void Forget();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace firn::iceberg
