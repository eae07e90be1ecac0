// Makes data files whose rows were read at different moments hold what one later snapshot sees, with the keys that have
// changed since the first of those moments.
//
//   rows of files read before ── without those of changed keys ──┐
//   rows read as of the snapshot ────────────────────────────────┴──► the table as of the snapshot
//
// The latter are what the copy reads itself, and the rows of changed keys where the copy does not read by itself.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "firn/result.h"
#include "iceberg/data_file_writer.h"
#include "iceberg/row_delta.h"
#include "pipeline/changed_keys.h"
#include "pipeline/live_files.h"
#include "pipeline/target_table.h"
#include "postgres/table_copy_reader.h"
#include "storage/file_store.h"

namespace firn::pipeline {

/// Reads the rows of changed keys in `blocks`, some keys in each.
std::vector<postgres::CopyRequest> PlanChangedRows(const postgres::CopyRequest& whole, const TargetTable& target,
                                                   const ChangedKeys& keys,
                                                   const std::vector<postgres::BlockRange>& blocks);

/// Single-threaded. The files are those of `target`, and no snapshot has them yet.
class CopyConvergence {
 public:
  /// `files_at_once`: as DataFileOptions.
  CopyConvergence(storage::FileStore& store, const TargetTable& target, std::vector<iceberg::DataFile> before,
                  int files_at_once);

  /// Leaves the keys' rows out of the files from before, all of which are read for it. A key comes in one call only.
  /// kNotFound when one of the files is gone.
  Status LeaveOut(const ChangedKeys& keys);
  int64_t rows_left_out() const { return rows_left_out_; }

  /// With `now` whole. `name` gives the location of the next delete file with this ending.
  Result<iceberg::RowDelta> Finish(const std::vector<iceberg::DataFile>& now,
                                   const std::function<std::string(std::string_view ending)>& name,
                                   iceberg::Compression compression);

 private:
  storage::FileStore& store_;
  const TargetTable& target_;
  const std::vector<iceberg::DataFile> before_;
  LiveFiles files_;
  int64_t rows_left_out_ = 0;
};

}  // namespace firn::pipeline
