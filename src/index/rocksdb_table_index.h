// One table's part of the RocksDB.
#pragma once

#include <rocksdb/sst_file_writer.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firn/result.h"
#include "index/index_key.h"
#include "index/rocksdb_database.h"
#include "index/table_index.h"
#include "index/table_record.h"

namespace firn::index {

class RocksDbTableIndex : public TableIndex {
 public:
  /// `database` must outlive the result.
  static Result<std::unique_ptr<RocksDbTableIndex>> Open(RocksDbDatabase& database, std::string table_id, KeyKind kind);

  IndexState state() const override { return record_.has_value() ? record_->state : IndexState{}; }
  Status Reset(const std::string& commit_id) override;
  Status Begin(const std::string& commit_id) override;
  Status MarkWhole() override;
  Status Complete(int64_t snapshot_id) override;
  Result<uint32_t> AddFile(const std::string& location) override;
  Result<std::string> FileLocation(uint32_t file) const override;
  Result<std::vector<std::optional<RowPosition>>> Lookup(std::span<const std::string_view> keys) override;
  Status Apply(std::span<const Change> changes) override;
  Status Load(std::vector<Entry> entries) override;

 private:
  using Positions = std::vector<std::optional<RowPosition>>;

  RocksDbTableIndex(RocksDbDatabase& database, std::string table_id, KeyKind kind)
      : database_(database), table_id_(std::move(table_id)), kind_(kind) {}

  Status WriteRecord(const TableRecord& record);
  /// Neither clean nor whole.
  Status CheckChanging() const;
  Status LookupUnique(std::span<const std::string_view> keys, std::span<const uint32_t> order, Positions& positions);
  Status LookupDuplicates(std::span<const std::string_view> keys, std::span<const uint32_t> order,
                          Positions& positions);
  Status WriteChanges(std::span<const Change> changes);
  Status IngestChanges(std::span<const Change> changes);
  /// Makes a file of what `write` puts into it, in the database's order, and adds it to the database.
  Status Ingest(const std::function<Status(rocksdb::SstFileWriter&)>& write);
  Status WriteEntries(std::span<const Entry> entries, rocksdb::SstFileWriter& writer);

  RocksDbDatabase& database_;
  std::string table_id_;
  KeyKind kind_;
  std::optional<TableRecord> record_;  ///< Nothing: absent.
  uint32_t next_file_ = 0;
  bool begin_is_on_disk_ = false;  ///< Whether the log was synced since the last Begin.
};

}  // namespace firn::index
