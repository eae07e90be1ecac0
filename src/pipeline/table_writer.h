// One Iceberg table as firn writes it: batches of changes become data files, position deletes and, with Prepare, a
// commit. Shared by the replicator (through the committer), the initial copy and the public Destination.
//
//   TableBatch ──fold──► live rows ──────────────► data file (open until the commit, rolled by size)
//                │                                     │ positions
//                └─► removed keys ──index lookup──► positions in older files ──► delete files, merged per data file
//                                                      ▲
//                        put / erase ──► index ────────┘
//
// What has been written for a commit that is not in yet is "pending". The index already knows it: it is marked as
// changing by that commit's id, and healed at the next start if the commit never came (index/table_index.h).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "catalog/commit_loop.h"
#include "iceberg/data_file_writer.h"
#include "iceberg/position_deletes.h"
#include "iceberg/row_delta.h"
#include "index/table_index.h"
#include "observe/metrics.h"
#include "pipeline/fold.h"
#include "pipeline/progress.h"
#include "pipeline/table_batch.h"
#include "storage/file_store.h"

namespace firn::pipeline {

struct TableWriterOptions {
  int64_t target_file_size_bytes = 512 << 20;
  iceberg::ParquetOptions parquet;
  PipelineIdentity writer;
};

/// Outlives the writers that use it.
struct WriterContext {
  storage::FileStore& store;
  index::Database& index;
  Metrics& metrics;
};

/// Single-threaded: one thread writes and prepares commits for a table.
class TableWriter {
 public:
  TableWriter(WriterContext context, TableWriterOptions options, catalog::LoadedTable table, TableLayout layout,
              std::string metrics_name);
  ~TableWriter();
  TableWriter(TableWriter&&) noexcept;

  /// Writes a batch for the commit `commit_id` (the same id until Prepare).
  Status Write(const std::string& commit_id, const TableBatch& batch);

  bool has_pending() const { return pending_.has_value(); }
  int64_t pending_rows() const;

  /// Closes the pending files and gives the change for CommitChanges. The callbacks look into this writer: it must stay
  /// in place and unwritten until Committed or Abandon.
  Result<catalog::TableChange> Prepare(Lsn lsn);
  /// The commit is in; `table` is what the receipt says.
  Status Committed(const catalog::LoadedTable& table);

  /// The initial copy's commit: adds files that were written elsewhere to the table, which has no snapshot by firn yet.
  static catalog::TableChange PrepareCopy(WriterContext context, const TableWriterOptions& options,
                                          const catalog::LoadedTable& table, std::vector<iceberg::DataFile> files,
                                          Lsn lsn, const std::string& commit_id);

  const catalog::LoadedTable& table() const { return table_; }

 private:
  /// A live data file, and which of its rows are deleted: committed, and in the pending commit.
  struct KnownFile {
    iceberg::DataFile file;
    std::optional<iceberg::DataFile> delete_file;
    std::optional<iceberg::RowPositions> deleted;  ///< Read when first needed.
    iceberg::RowPositions newly_deleted;
    bool pending = false;  ///< Added by the pending commit.
  };
  struct Pending;

  Status EnsureFilesKnown();
  Status EnsureIndex(const std::string& commit_id);
  Status RebuildIndex(const std::string& commit_id);
  Result<std::vector<std::optional<index::RowPosition>>> DeleteRows(const FoldedBatch& folded);
  Result<std::shared_ptr<arrow::RecordBatch>> FillUnchanged(
      const TableBatch& batch, const FoldedBatch& folded,
      const std::vector<std::optional<index::RowPosition>>& removed);
  Status AppendRows(const TableBatch& batch, const FoldedBatch& folded, const arrow::RecordBatch& rows,
                    const index::EncodedKeys& keys,
                    const std::vector<std::optional<index::RowPosition>>& removed);
  Status OpenDataFile();
  Status CloseDataFile();
  Status Truncate(const std::string& commit_id);
  Result<iceberg::RowDelta> MakeDelta();
  Result<iceberg::RowPositions> DeletedRows(KnownFile& known);
  void AddOpenFile();

  WriterContext context_;
  TableWriterOptions options_;
  catalog::LoadedTable table_;
  TableLayout layout_;
  std::string metrics_name_;
  iceberg::ManifestCache manifests_;
  std::unique_ptr<index::TableIndex> index_;
  bool files_known_ = false;
  bool index_ready_ = false;
  std::unordered_map<std::string, KnownFile> files_;  ///< By location.
  std::unique_ptr<Pending> pending_storage_;
  std::optional<std::string> pending_;  ///< The pending commit's id.
};

}  // namespace firn::pipeline
