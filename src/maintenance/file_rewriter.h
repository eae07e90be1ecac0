// Data files become others with the same rows: read with their deletes applied, written anew, and exchanged in one
// commit, whatever was deleted from them meanwhile.
//
//   group at snapshot S ──RewriteFiles──► new files, RowMoves ──MakeRewriteChange──► commit on the fresh table:
//                                                                  rows deleted since S are deleted in the new files
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "catalog/commit_loop.h"
#include "firn/result.h"
#include "iceberg/row_positions.h"
#include "iceberg/table_files.h"
#include "maintenance/row_moves.h"
#include "observe/metrics.h"
#include "pipeline/partitioned_writer.h"
#include "storage/file_store.h"

namespace firn::maintenance {

struct RewrittenFiles {
  std::vector<iceberg::LiveDataFile> from;
  std::vector<iceberg::RowPositions> deleted;  ///< Beside `from`: the rows that were left out.
  std::vector<iceberg::DataFile> to;
  std::string sorted_by;  ///< For people; empty: rows are in the order in which they were.
  RowMoves moves;
};

/// Told of bytes of the old files that were rewritten, about: it may wait.
using RewritePace = std::function<void(int64_t bytes)>;

/// Writes the live rows of `files` at `metadata`'s current snapshot to new files, in the table's current schema and
/// default partition spec; in format version 3 rows keep their lineage. Rows are sorted where the table has an order
/// for them (rewrite_order): of one partition's new files, each has a range of them. That takes half of the options'
/// memory, and beyond it room in their spill_folder. Nothing is committed. kCancelled on request; then and after an
/// error no new file is left.
Result<RewrittenFiles> RewriteFiles(storage::FileStore& store, Metrics& metrics, iceberg::TableMetadataPtr metadata,
                                    std::vector<iceberg::LiveDataFile> files, const pipeline::DataFileOptions& options,
                                    const std::string& table, std::stop_token stop, const RewritePace& pace = {});

/// Removes the new files of a rewrite that will not be committed, as far as it can.
void RemoveWritten(storage::FileStore& store, const RewrittenFiles& rewritten);

/// The change that exchanges the files (operation "replace"). Building it is a kConflict when one of the old files is
/// no longer in the table. `rewritten` and `manifests` must outlive the change.
catalog::TableChange MakeRewriteChange(storage::FileStore& store, iceberg::ManifestCache& manifests,
                                       catalog::LoadedTable base, const RewrittenFiles& rewritten,
                                       iceberg::Compression compression, const std::string& commit_id);

}  // namespace firn::maintenance
