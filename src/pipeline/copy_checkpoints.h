// Which ranges of a table's blocks a copy has read, and the data files that their rows are in: kept on local disk, so
// that a copy that broke off goes on where it was.
//
//   <folder>/<table oid>/<first block>    a line of JSON, then a manifest (Avro) of the data files
//                       /keys-<LSN>       keys of rows that have changed from there on (key_log.h)
//                       /keys-<LSN>.<n>   … where they are many, others of them
//                       /committing       the commit of the files may be on its way
//
// A cache: what is lost is copied again. docs/decisions/0009-copies-go-on-where-they-were.md says what makes it right.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "firn/result.h"
#include "iceberg/data_file.h"
#include "iceberg/table_metadata.h"
#include "model/lsn.h"
#include "model/source_table.h"
#include "pipeline/changed_keys.h"
#include "pipeline/target_table.h"
#include "postgres/table_copy_reader.h"
#include "storage/file_store.h"

namespace firn::pipeline {

/// Ranges of a table that were read, each as of some snapshot at or after `since`.
struct CopiedRanges {
  Lsn since;
  std::vector<postgres::BlockRange> ranges;
  std::vector<iceberg::DataFile> files;  ///< Closed, and in no snapshot of the table.
  int64_t rows = 0;
};

/// The ranges in order, those that touch as one.
std::vector<postgres::BlockRange> MergeRanges(std::vector<postgres::BlockRange> ranges);
/// What is left of all blocks from 0 on. The last one, where there is one, has no end.
std::vector<postgres::BlockRange> RangesLeft(const std::vector<postgres::BlockRange>& read);

/// What must be the same for files of an earlier copy to be files of this one: the definition and the heap of the
/// source table, the cluster and its timeline, and what the files are written for.
nlohmann::json CopyPlan(const TargetTable& target, const PipelineIdentity& writer, int timeline);

/// The keys of rows that have changed since ranges were read: where they are.
struct KeptKeys {
  Lsn until;  ///< Transactions whose commit record starts before it.
  std::vector<std::string> files;
  size_t keys = 0;   ///< One may be in several files.
  size_t bytes = 0;  ///< ChangedKeys::bytes
};

/// Those with a share of all keys: the one of `shares` that has this `number`. kNotFound, kCorrupt where a file is not
/// what it was.
Result<ChangedKeys> ReadKeys(const KeptKeys& kept, size_t number, size_t shares);

/// Of a pipeline.
inline std::string CopyCheckpointsFolder(const std::string& state_dir) { return state_dir + "/copies"; }

/// Thread-safety: calls for different tables, and Add for different ranges, may be made from any thread.
class CopyCheckpoints {
 public:
  /// `folder`: made when there is something to keep.
  explicit CopyCheckpoints(std::string folder);

  /// On disk when it returns. `metadata`: the table's that the files are for.
  Status Add(TableOid table, const nlohmann::json& plan, const iceberg::TableMetadata& metadata,
             const CopiedRanges& part) const;
  /// All that was added for this plan; nothing where that is nothing, or something is there for another plan, or can't
  /// be read.
  std::optional<CopiedRanges> Read(TableOid table, const nlohmann::json& plan,
                                   const iceberg::TableMetadata& metadata) const;
  bool Has(TableOid table) const;
  /// Keys of rows that were changed by transactions whose commit record starts at or after `from`. Of no use before
  /// AddKeys has told how many such parts there are, and where their changes end.
  Status AddKeyPart(TableOid table, Lsn from, int number, const ChangedKeys& keys) const;
  /// On disk when it returns.
  Status AddKeys(TableOid table, Lsn from, Lsn until, int parts, const ChangedKeys& keys) const;
  /// Adds what is there from `kept.until` on, without a gap, and whole.
  void FindKeys(TableOid table, KeptKeys& kept) const;
  /// Before the commit of the files.
  Status MarkCommitting(TableOid table) const;
  /// The files are in the table, or nobody's any more: nothing is known of them afterwards.
  Status Forget(TableOid table) const;
  /// Forgets, and deletes from the store the files that surely are in no snapshot: none of them was to be committed,
  /// and the table is as it was when they were written.
  Status Discard(TableOid table, storage::FileStore& store, const iceberg::TableMetadata& metadata) const;
  /// Of every table: files that may be taken up again.
  std::set<std::string> FilesOfAll() const;

 private:
  std::string FolderOf(TableOid table) const;
  std::string KeysFile(TableOid table, Lsn from) const;

  std::string folder_;
};

}  // namespace firn::pipeline
