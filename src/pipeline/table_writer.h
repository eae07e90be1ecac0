// One Iceberg table as firn writes it: batches of changes become data files, position deletes and, with Prepare, a
// commit. Shared by the replicator (through the committer) and the public Destination.
//
//   TableBatch ──fold──► live rows ──► PartitionedWriter: a data file for each partition
//                │                                     │ positions
//                └─► removed keys ──index lookup──► positions in older files ──► delete files, merged per data file
//                                                      ▲
//                        put / erase ──► index ────────┘
//
// What has been written for a commit that is not in yet is "pending". The index already knows it: it is marked as
// changing by that commit's id, and healed at the next start if the commit never came (index/table_index.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "catalog/commit_loop.h"
#include "iceberg/row_delta.h"
#include "index/table_index.h"
#include "observe/metrics.h"
#include "pipeline/fold.h"
#include "pipeline/live_files.h"
#include "pipeline/partitioned_writer.h"
#include "pipeline/progress.h"
#include "pipeline/table_batch.h"
#include "storage/file_store.h"

namespace firn::pipeline {

struct TableWriterOptions {
  DataFileOptions files;
  PipelineIdentity writer;
};

/// What writers share; it outlives them.
struct WriterContext {
  storage::FileStore& store;
  index::Database& index;
  Metrics& metrics;
};

/// Single-threaded: one thread writes and commits a table.
class TableWriter {
 public:
  /// `name` stands in metrics and messages.
  TableWriter(WriterContext context, TableWriterOptions options, catalog::LoadedTable table, TableLayout layout,
              std::string name);
  TableWriter(const TableWriter&) = delete;
  TableWriter& operator=(const TableWriter&) = delete;

  /// Writes a batch for the commit `commit_id` (the same id until Committed). After an error the writer is unusable:
  /// open the table again.
  Status Write(const std::string& commit_id, const TableBatch& batch);

  bool has_pending() const { return pending_.has_value(); }
  /// Rows that the pending commit has written.
  int64_t pending_rows() const { return pending_ ? pending_->rows : 0; }

  /// Closes the pending files and gives the change for CommitChanges: its callbacks look into this writer, which must
  /// stay in place and is not to be written to until Committed.
  Result<catalog::TableChange> Prepare(Lsn lsn);
  /// The pending commit is in; `table` is what the receipt says.
  Status Committed(const catalog::LoadedTable& table);

  const catalog::LoadedTable& table() const { return table_; }
  const std::string& name() const { return name_; }

 private:
  struct Pending {
    std::string commit_id;
    bool truncate = false;
    int64_t rows = 0;
    int files_named = 0;
    std::unique_ptr<PartitionedWriter> data_files;  ///< Once there are rows.
    iceberg::RowDelta delta;                        ///< From Prepare on.
  };
  using Positions = std::vector<std::optional<index::RowPosition>>;

  Status Begin(const std::string& commit_id);
  Status Truncate();
  Status EnsureIndex(const std::string& commit_id);
  Status RebuildIndex(const std::string& commit_id);
  Result<Positions> DeleteRemovedRows(const FoldedBatch& folded);
  /// Where the rows went.
  Result<std::vector<PlacedRows>> AppendRows(const std::shared_ptr<arrow::RecordBatch>& rows);
  /// `placed`: of the batch's live rows.
  Status UpdateIndex(const FoldedBatch& folded, const index::EncodedKeys& row_keys, const Positions& removed,
                     std::span<const PlacedRows> placed);
  Result<iceberg::CommitRequest> BuildOn(const iceberg::TableMetadata& fresh);
  /// Another writer moved rows: makes sure that the index is built anew at the next start.
  Error DistrustIndex(const Error& why);
  /// The location of a numbered file of the index, which is closed first where it is being written.
  Result<std::string> ReadableFile(uint32_t number);
  void TakeClosedFiles();
  std::string NextName(std::string_view suffix);

  WriterContext context_;
  TableWriterOptions options_;
  catalog::LoadedTable table_;
  TableLayout layout_;
  std::string name_;
  iceberg::ManifestCache manifests_;
  LiveFiles files_;
  std::unique_ptr<index::TableIndex> index_;
  bool index_ready_ = false;
  std::optional<Pending> pending_;
};

}  // namespace firn::pipeline
