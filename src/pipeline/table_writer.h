// One Iceberg table as firn writes it: batches of changes become data files, position deletes and, with Prepare, a
// commit. Shared by the replicator (through the committer) and the public Destination.
//
//   TableBatch ──fold──► live rows ──► PartitionedWriter: a data file for each partition
//                │                                     │ positions
//                └─► removed keys ──index lookup──► positions in older files ──► delete files, merged per data file
//                                                      ▲
//                        put / erase ──► index ────────┘
//
// With DeleteForm::kEquality the index knows the rows of the pending commit only; others are deleted by key
// (key_deletes).
//
// Rows that a rewrite of data files has moved are found again without reading the others (table_writer_rewrite.cc).
//
// What has been written for a commit that is not in yet is "pending". The index already knows it: it is marked as
// changing by that commit's id, and as whole before the commit; it is healed at the next start if the commit never came
// (index/table_index.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "catalog/commit_loop.h"
#include "iceberg/row_delta.h"
#include "index/table_index.h"
#include "observe/metrics.h"
#include "pipeline/fold.h"
#include "pipeline/key_deletes.h"
#include "pipeline/live_files.h"
#include "pipeline/partitioned_writer.h"
#include "pipeline/progress.h"
#include "pipeline/table_batch.h"
#include "pipeline/table_rewrite.h"
#include "pipeline/unchanged_values.h"
#include "pipeline/write_order.h"
#include "storage/file_store.h"

namespace firn::pipeline {

struct TableWriterOptions {
  DataFileOptions files;
  PipelineIdentity writer;
  uint64_t small_deletes = 10'000;  ///< Position delete files of so many rows are merged at every commit.
  bool expects_rows = true;         ///< That a change finds its row in the table: a warning says where it doesn't.
};

/// What writers share; it outlives them.
struct WriterContext {
  storage::FileStore& store;
  index::Database& index;
  Metrics& metrics;
};

/// The table's id in the index. Another key is another index: what the one before says of the table is not to be found
/// under it.
std::string IndexNameOf(const iceberg::TableMetadata& table, const TableLayout& layout);

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

  /// The change that commits a rewrite of data files, while nothing is pending. It looks into this writer and the
  /// rewrite.
  catalog::TableChange PrepareRewrite(TableRewrite& rewrite, const std::string& commit_id);
  /// The rewrite is in; `table` is what the receipt says.
  Status Rewritten(const catalog::LoadedTable& table);

  const catalog::LoadedTable& table() const { return table_; }
  const std::string& name() const { return name_; }

 private:
  struct Pending {
    std::string commit_id;
    bool truncate = false;
    int64_t rows = 0;
    int files_named = 0;
    std::unique_ptr<PartitionedWriter> data_files;  ///< Once there are rows.
    std::unique_ptr<KeyDeletes> key_deletes;        ///< kEquality, once there are some.
    iceberg::RowDelta delta;                        ///< From Prepare on.
  };
  using Positions = std::vector<std::optional<index::RowPosition>>;
  struct BatchKeys {
    index::EncodedKeys rows;
    index::EncodedKeys old;
  };
  using IndexChanges = std::vector<index::TableIndex::Change>;
  /// The key by which the index is to find a row that is being written, by its number there; nothing: not at all.
  using KeyOfRow = std::function<std::optional<std::string_view>(size_t row)>;

  // table_writer_changes.cc: what the changes of a batch do
  Result<BatchKeys> EncodeBatchKeys(const TableBatch& batch) const;
  Status WriteChanges(const TableBatch& batch, ChangeRange range, const BatchKeys& keys);
  /// The folded batch's live rows, with the values that they leave as they were.
  Status AppendLiveRows(const TableBatch& batch, const FoldedBatch& folded, const BatchKeys& keys,
                        const Positions& removed, IndexChanges& changes);
  FoldedBatch FoldChanges(const TableBatch& batch, ChangeRange range, const BatchKeys& keys) const;
  /// A TRUNCATE in a mode that keeps rows: those that stand are written again as fallen.
  Status FallAll(const RowFacts& facts);
  /// Whether the index finds rows that the source no longer has.
  bool FindsFallenRows() const {
    return layout_.mode == ChangeMode::kSoftDelete && layout_.identity == RowIdentity::kKey;
  }
  void EraseFromIndex(const FoldedBatch& folded, const Positions& removed, IndexChanges& changes) const;

  // table_writer_append.cc: append mode, where each change is a row
  Status AppendChanges(const std::string& commit_id, const TableBatch& batch);
  /// The index, which only unchanged values need: each key's latest row.
  Status EnsureLatestRows(const std::string& commit_id);
  Status IndexLatestRows();
  using DeletedOf = std::function<Result<iceberg::RowPositions>(const std::string& location)>;
  /// Gives the index the places of each key's latest row in `files`, and the number of their rows. `moved_from`: only
  /// of keys whose latest row was in these files, by number; `files` come to be among them.
  Result<int64_t> PutLatestRows(std::vector<WrittenFile> files, const DeletedOf& deleted_of,
                                std::set<uint32_t>* moved_from = nullptr);
  /// Where the batch's unchanged values are. Gives what its changes since the last TRUNCATE come down to.
  Result<FoldedBatch> FindLatestRows(const TableBatch& batch, const BatchKeys& keys, UnchangedValues& values);

  // table_writer_keys.cc: deletes by key
  /// Deletes the rows that have no position by their keys. Those whose values are needed get one.
  Status DeleteByKey(const TableBatch& batch, const FoldedBatch& folded, const BatchKeys& batch_keys,
                     Positions& removed);
  /// `missing[i]` is the removed key that row i of `keys` is.
  Status FindPreviousImages(const TableBatch& batch, const FoldedBatch& folded,
                            const std::shared_ptr<arrow::RecordBatch>& keys, std::span<const int32_t> missing,
                            Positions& removed);

  // table_writer_rewrite.cc: rows that were moved to other files
  /// The snapshot that the index knows: the current one, or one since which rows were moved and nothing else happened.
  const iceberg::Snapshot* IndexedSnapshot(const index::IndexState& state) const;
  bool OnlyMovesRows(const iceberg::Snapshot& from, const iceberg::Snapshot& to) const;
  /// The commit that was pending came on top of what others did since `before`.
  Status FollowOthers(const iceberg::TableMetadata& before, bool is_truncated);
  /// Gives the index, which is clean, the places that rows have got from one snapshot to the other. Then it is clean at
  /// `clean_at`. False where it can't be told for certain: the index is then to be reset.
  Result<bool> FollowMovedRows(const iceberg::Snapshot& from, const iceberg::Snapshot& to, int64_t clean_at);
  /// The same. kNotFound where a file that it takes is gone.
  Result<bool> FollowByFiles(const iceberg::Snapshot& from, const iceberg::Snapshot& to, int64_t clean_at);
  struct LiveRowsOfFiles;
  /// Each row of the new files is in the index. Gives their number, as does the other.
  Result<int64_t> FollowEachRow(const LiveRowsOfFiles& gone, const LiveRowsOfFiles& come);
  /// Those that are the latest of their key: in append mode.
  Result<int64_t> FollowLatestRows(const LiveRowsOfFiles& gone, const LiveRowsOfFiles& come);

  // table_writer.cc: files, index and commits
  Status Begin(const std::string& commit_id);
  Status Truncate();
  Status OpenIndex();
  Status EnsureIndex(const std::string& commit_id);
  Status RebuildIndex(const std::string& commit_id);
  /// Rows of data files that the index is to find (or no longer), many of them taken together.
  struct IndexRun {
    std::function<Status(std::vector<index::TableIndex::Entry>)> take;
    std::vector<std::unique_ptr<index::EncodedKeys>> keys = {};  ///< Entries look into these.
    std::vector<index::TableIndex::Entry> entries = {};
    int64_t rows = 0;  ///< Taken.
  };
  IndexRun LoadedRun();
  Status AddToRun(const iceberg::DataFile& file, const iceberg::RowPositions& deleted, IndexRun& run);
  static Status TakeRun(IndexRun& run);
  iceberg::Schema KeyProjection() const;
  Result<Positions> DeleteRemovedRows(const FoldedBatch& folded);
  /// Writes rows with all columns of the layout; `changes` get their places, where there is an index.
  Status AppendRows(const std::shared_ptr<arrow::RecordBatch>& rows, const KeyOfRow& key_of, IndexChanges& changes);
  Result<iceberg::CommitRequest> BuildOn(const iceberg::TableMetadata& fresh);
  /// Another writer moved rows: makes sure that the index is built anew at the next start.
  Error DistrustIndex(const Error& why);
  /// The location of a numbered file of the index, which is closed first where it is being written.
  Result<std::string> ReadableFile(uint32_t number);
  /// All files of the commit in the making can be read afterwards.
  Status CloseDataFiles();
  void TakeClosedFiles();
  /// What the index changes by.
  std::string IndexCommitId(const std::string& commit_id) const;
  std::string NextName(std::string_view ending);

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
