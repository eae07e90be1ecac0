// The RocksDB behind index::Database, as its table indexes use it.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "firn/result.h"
#include "index/index_key.h"
#include "index/table_index.h"
#include "index/table_record.h"

namespace firn::index {

/// Thread-safety: every method may be called from any thread.
class RocksDbDatabase : public Database {
 public:
  /// `boot_id` names the running kernel; empty: not known. See DropTablesChangedBeforeBoot.
  static Result<std::unique_ptr<RocksDbDatabase>> Open(const std::string& directory, const DatabaseOptions& options,
                                                       const std::string& boot_id);

  Result<std::unique_ptr<TableIndex>> OpenTable(const std::string& table_id, KeyKind kind) override;
  Status DropTable(const std::string& table_id) override;
  Result<std::vector<std::string>> TableIds() override;

  rocksdb::DB& db() { return *db_; }
  const rocksdb::Options& options() const { return options_; }
  size_t ingested_changes_min() const { return ingested_changes_min_; }

  Generation NewGeneration(KeyKind kind);
  /// Adds to `batch` the removal of all that a generation holds.
  static void EraseGeneration(rocksdb::WriteBatch& batch, Generation generation);
  /// Gives back the disk space of an erased generation, in the background as far as it can. Never before the erasing
  /// batch is on disk (WriteOptions::sync): whole files go at once.
  void ReclaimGeneration(Generation generation);

  /// Where to write the next file to ingest: on the database's own file system, so that ingesting is a rename.
  std::string NewRunPath();
  /// RocksDB's status as ours. Damage is remembered on disk: the next Open starts anew.
  Status Check(const rocksdb::Status& status);

 private:
  RocksDbDatabase(std::string directory, const DatabaseOptions& database_options, rocksdb::Options options,
                  std::unique_ptr<rocksdb::DB> db);
  Status CheckFormatVersion();
  Result<std::vector<std::pair<std::string, TableRecord>>> ReadTableRecords();  ///< By table id.
  Status DropTablesChangedBeforeBoot(const std::string& boot_id);
  Status ReadGenerations();

  std::string directory_;
  const size_t ingested_changes_min_;
  rocksdb::Options options_;
  std::unique_ptr<rocksdb::DB> db_;
  std::atomic<Generation> next_generation_ = kFirstGeneration;
  std::atomic<uint64_t> next_run_ = 0;
};

}  // namespace firn::index
