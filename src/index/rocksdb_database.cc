#include "index/rocksdb_database.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/experimental.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include "base/try.h"
#include "index/rocksdb_error.h"
#include "index/rocksdb_table_index.h"
#include "index/table_record.h"
#include "observe/log.h"

namespace firn::index {
namespace {

namespace fs = std::filesystem;

constexpr char kFormatVersion[] = "1";
constexpr int kBloomBitsPerKey = 10;
/// Below this, what is left of an erased generation waits for the usual compaction.
constexpr uint64_t kReclaimBytesMin = 16 << 20;

/// Gives the prefix bloom filter of kDuplicates rows: all but the position (index_key.h).
class DuplicatesPrefix : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "firn.DuplicatesPrefix"; }
  bool InDomain(const rocksdb::Slice& key) const override {
    return key.size() >= kGenerationBytes + 4 + kPositionBytes && HoldsDuplicates(ReadUint32(key.data()));
  }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override {
    return rocksdb::Slice(key.data(), key.size() - kPositionBytes);
  }
};

rocksdb::Options MakeOptions(const DatabaseOptions& database_options) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(database_options.block_cache_bytes);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  table.format_version = 5;
  // Filters and indexes live in the block cache, in parts, so that memory is bounded whatever the number of rows.
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.optimize_filters_for_memory = true;
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;

  rocksdb::Options options;
  options.create_if_missing = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.prefix_extractor = std::make_shared<DuplicatesPrefix>();
  options.compression = rocksdb::kLZ4Compression;
  options.write_buffer_size = std::max<size_t>(database_options.write_buffer_bytes / 2, 64 << 10);
  options.max_write_buffer_number = 2;
  // Most keys that are looked for are not in the memtable.
  options.memtable_prefix_bloom_size_ratio = 0.1;
  options.memtable_whole_key_filtering = true;
  options.level_compaction_dynamic_level_bytes = true;
  // A row to update or delete is nearly always there: no filter where all keys that are left must be.
  options.optimize_filters_for_hits = true;
  // Runs are merged into the large levels less often: that costs more than the look into twice as many of them.
  options.level0_file_num_compaction_trigger = 8;
  options.max_background_jobs = 2;
  options.max_open_files = 512;
  options.bytes_per_sync = 1 << 20;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1 << 20;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

fs::path DamageMark(const std::string& directory) { return fs::path(directory) / "DAMAGED"; }
fs::path RunDirectory(const std::string& directory) { return fs::path(directory) / "load"; }

bool IsLocked(const rocksdb::Status& status) {
  const std::string text = status.ToString();
  return status.IsIOError() && (text.find("While lock file") != std::string::npos ||
                                text.find("lock hold by current process") != std::string::npos);
}

Error LockedError(const std::string& directory) {
  return MakeError(ErrorKind::kConflict,
                   "another firn uses the index in {}: stop it, or give each pipeline its own state_dir", directory);
}

bool IsDamage(const rocksdb::Status& status) {
  return status.IsCorruption() || status.IsNotSupported() || status.IsInvalidArgument() || status.IsPathNotFound();
}

Status DeleteDatabase(const std::string& directory, const rocksdb::Options& options, const std::string& reason) {
  LogWarn("the index is damaged and is made anew; tables are indexed again from their key columns",
          {{"directory", directory}, {"reason", reason}});
  const rocksdb::Status status = rocksdb::DestroyDB(directory, options);
  if (IsLocked(status)) return LockedError(directory);
  TRY_VOID(FromRocksDb(status).Context("deleting the damaged index in {}", directory));
  std::error_code ignored;
  fs::remove(DamageMark(directory), ignored);
  return {};
}

Result<std::unique_ptr<rocksdb::DB>> OpenDb(const std::string& directory, const rocksdb::Options& options) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) {
    const bool denied = error == std::errc::permission_denied || error == std::errc::read_only_file_system;
    return MakeError(denied ? ErrorKind::kPermission : ErrorKind::kInvalidConfig,
                     "making the folder {}: {}; choose a state_dir that firn may write to", directory, error.message());
  }
  if (fs::exists(DamageMark(directory), error)) {
    TRY_VOID(DeleteDatabase(directory, options, "damage was found while it was in use"));
  }
  rocksdb::DB* db = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(options, directory, &db);
  if (IsLocked(status)) return LockedError(directory);
  if (IsDamage(status)) {
    TRY_VOID(DeleteDatabase(directory, options, status.ToString()));
    status = rocksdb::DB::Open(options, directory, &db);
  }
  TRY_VOID(FromRocksDb(status).Context("opening the index in {}", directory));
  return std::unique_ptr<rocksdb::DB>(db);
}

std::string RunningBootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

}  // namespace

Result<std::unique_ptr<Database>> Database::Open(const std::string& directory, const DatabaseOptions& options) {
  TRY(std::unique_ptr<Database> database, RocksDbDatabase::Open(directory, options, RunningBootId()));
  return database;
}

Result<std::unique_ptr<RocksDbDatabase>> RocksDbDatabase::Open(const std::string& directory,
                                                               const DatabaseOptions& database_options,
                                                               const std::string& boot_id) {
  const rocksdb::Options options = MakeOptions(database_options);
  const auto open = [&]() -> Result<std::unique_ptr<RocksDbDatabase>> {
    TRY(auto db, OpenDb(directory, options));
    std::unique_ptr<RocksDbDatabase> database(new RocksDbDatabase(directory, database_options, options, std::move(db)));
    TRY_VOID(database->CheckFormatVersion());
    TRY_VOID(database->DropTablesChangedBeforeBoot(boot_id));
    TRY_VOID(database->ReadGenerations());
    return database;
  };
  auto database = open();
  if (!database.has_value() && database.error().kind() == ErrorKind::kCorrupt) {
    TRY_VOID(DeleteDatabase(directory, options, database.error().message()));
    database = open();
  }
  if (database.has_value()) {
    std::error_code error;
    fs::remove_all(RunDirectory(directory), error);
    fs::create_directories(RunDirectory(directory), error);
    if (error) return MakeError(ErrorKind::kPermission, "making a folder in {}: {}", directory, error.message());
  }
  return database;
}

RocksDbDatabase::RocksDbDatabase(std::string directory, const DatabaseOptions& database_options,
                                 rocksdb::Options options, std::unique_ptr<rocksdb::DB> db)
    : directory_(std::move(directory)),
      ingested_changes_min_(database_options.ingested_changes_min),
      options_(std::move(options)),
      db_(std::move(db)) {}

Status RocksDbDatabase::CheckFormatVersion() {
  std::string version;
  const rocksdb::Status status = db_->Get({}, VersionKey(), &version);
  if (status.IsNotFound()) return Check(db_->Put({}, VersionKey(), kFormatVersion));
  TRY_VOID(Check(status));
  if (version != kFormatVersion) {
    return MakeError(ErrorKind::kCorrupt, "the index has format version {}, this firn knows {}", version,
                     kFormatVersion);
  }
  return {};
}

Result<std::vector<std::pair<std::string, TableRecord>>> RocksDbDatabase::ReadTableRecords() {
  std::vector<std::pair<std::string, TableRecord>> records;
  const std::string prefix = TableKey("");
  const std::string end = AfterPrefix(prefix);
  const rocksdb::Slice end_slice(end);
  rocksdb::ReadOptions read;
  read.total_order_seek = true;
  read.iterate_upper_bound = &end_slice;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(read));
  for (it->Seek(prefix); it->Valid(); it->Next()) {
    TRY(TableRecord record, DecodeTableRecord(it->value().ToStringView()));
    records.emplace_back(it->key().ToStringView().substr(prefix.size()), std::move(record));
  }
  TRY_VOID(Check(it->status()));
  return records;
}

// Writes go to the write-ahead log but are not synced, so a killed process loses nothing and a machine that goes down
// loses the log's tail. What is left is then a state that the database was in a little earlier (before an ingested
// file, which is on disk at once, the log is synced up to its Begin). For a clean table that is right: it names an
// older snapshot. A table left "changing" by commit X, though, may have lost changes of X that were complete when X was
// committed, and the table's snapshot could not tell. So after a boot those are indexed anew.
Status RocksDbDatabase::DropTablesChangedBeforeBoot(const std::string& boot_id) {
  std::string last_boot_id;
  const rocksdb::Status status = db_->Get({}, BootIdKey(), &last_boot_id);
  if (!status.IsNotFound()) TRY_VOID(Check(status));
  if (!boot_id.empty() && boot_id == last_boot_id) return {};

  rocksdb::WriteBatch batch;
  TRY_VOID(Check(batch.Put(BootIdKey(), boot_id)));
  std::vector<Generation> erased;
  TRY(const auto records, ReadTableRecords());
  for (const auto& [table_id, record] : records) {
    if (!record.state.changing_commit_id.has_value()) continue;
    TRY_VOID(Check(batch.Delete(TableKey(table_id))));
    EraseGeneration(batch, record.generation);
    erased.push_back(record.generation);
  }
  rocksdb::WriteOptions sync;
  sync.sync = true;
  TRY_VOID(Check(db_->Write(sync, &batch)));
  for (const Generation generation : erased) ReclaimGeneration(generation);
  return {};
}

// A number may come back once its table was dropped: whatever it held then is older than its range deletion.
Status RocksDbDatabase::ReadGenerations() {
  TRY(const auto records, ReadTableRecords());
  Generation highest = 0;
  for (const auto& [table_id, record] : records) highest = std::max(highest, record.generation);
  next_generation_ = std::max(kFirstGeneration, (highest | 1) + 1);
  return {};
}

Generation RocksDbDatabase::NewGeneration(KeyKind kind) {
  return next_generation_.fetch_add(2) | (kind == KeyKind::kDuplicates ? 1 : 0);
}

void RocksDbDatabase::EraseGeneration(rocksdb::WriteBatch& batch, Generation generation) {
  for (const std::string& prefix :
       {GenerationPrefix(generation), FilesPrefix(generation), LocationsPrefix(generation)}) {
    batch.DeleteRange(prefix, AfterPrefix(prefix));
  }
}

void RocksDbDatabase::ReclaimGeneration(Generation generation) {
  const std::string begin = GenerationPrefix(generation);
  const std::string end = AfterPrefix(begin);
  const rocksdb::Slice begin_slice(begin);
  const rocksdb::Slice end_slice(end);
  rocksdb::ColumnFamilyHandle* rows = db_->DefaultColumnFamily();
  rocksdb::Status status = rocksdb::DeleteFilesInRange(db_.get(), rows, &begin_slice, &end_slice, false);
  const rocksdb::Range range(begin_slice, end_slice);
  uint64_t bytes_left = 0;
  if (status.ok()) status = db_->GetApproximateSizes(rows, &range, 1, &bytes_left);
  if (status.ok() && bytes_left >= kReclaimBytesMin) {
    status = db_->Flush(rocksdb::FlushOptions());  // Compaction only sees range deletions that are in files.
    if (status.ok()) status = rocksdb::experimental::SuggestCompactRange(db_.get(), &begin_slice, &end_slice);
  }
  if (!status.ok()) LogWarn("the index could not give back disk space", {{"reason", status.ToString()}});
}

std::string RocksDbDatabase::NewRunPath() {
  return RunDirectory(directory_) / fmt::format("{}.sst", next_run_.fetch_add(1));
}

Status RocksDbDatabase::Check(const rocksdb::Status& status) {
  Status result = FromRocksDb(status);
  if (result.has_value()) return result;
  if (result.error().kind() == ErrorKind::kCorrupt) {
    std::ofstream(DamageMark(directory_)).flush();
    return std::move(result).error().WithContext(
        fmt::format("the index in {} is damaged (it is made anew when firn starts again)", directory_));
  }
  return std::move(result).error().WithContext(fmt::format("index in {}", directory_));
}

Result<std::unique_ptr<TableIndex>> RocksDbDatabase::OpenTable(const std::string& table_id, KeyKind kind) {
  TRY(std::unique_ptr<TableIndex> table, RocksDbTableIndex::Open(*this, table_id, kind));
  return table;
}

Status RocksDbDatabase::DropTable(const std::string& table_id) {
  std::string bytes;
  const rocksdb::Status status = db_->Get({}, TableKey(table_id), &bytes);
  if (status.IsNotFound()) return {};
  TRY_VOID(Check(status));
  TRY(const TableRecord record, DecodeTableRecord(bytes));
  rocksdb::WriteBatch batch;
  TRY_VOID(Check(batch.Delete(TableKey(table_id))));
  EraseGeneration(batch, record.generation);
  rocksdb::WriteOptions sync;
  sync.sync = true;
  TRY_VOID(Check(db_->Write(sync, &batch)));
  ReclaimGeneration(record.generation);
  return {};
}

Result<std::vector<std::string>> RocksDbDatabase::TableIds() {
  TRY(auto records, ReadTableRecords());
  std::vector<std::string> ids;
  for (auto& [table_id, record] : records) ids.push_back(std::move(table_id));
  return ids;
}

}  // namespace firn::index
