#include "index/rocksdb_table_index.h"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "base/failpoint.h"
#include "base/try.h"
#include "index/sorted_order.h"

namespace firn::index {
namespace {

/// A batch larger than this is written and a new one started: RocksDB holds a batch in memory twice.
constexpr size_t kBatchBytesMax = 4 << 20;
/// Keys of one MultiGet; bounds the pinned blocks.
constexpr size_t kLookupKeys = 256;

/// The order of keys in the database, which is (generation, key) or (generation, key size, key, position).
template <typename KeyAt, typename PositionLess>
std::vector<uint32_t> DatabaseOrder(size_t count, bool duplicates, KeyAt key, PositionLess position_less) {
  bool sized = false;  // Whether sizes differ and matter.
  for (size_t i = 1; i < count && duplicates && !sized; ++i) sized = key(i).size() != key(0).size();
  const size_t shared = sized ? 0 : SharedPrefix(count, key);
  const auto rank = [&](size_t i) {
    const std::string_view k = key(i);
    return sized ? uint64_t{k.size()} << 32 | LeadingBytes(k) >> 32 : LeadingBytes(k.substr(shared));
  };
  const auto less = [&](size_t i, size_t j) {
    const std::string_view a = key(i);
    const std::string_view b = key(j);
    if (sized && a.size() != b.size()) return a.size() < b.size();
    const int order = a.compare(b);
    return order != 0 ? order < 0 : position_less(i, j);
  };
  return SortedOrder(count, rank, less);
}

/// Changes of one key stay in their order.
std::vector<uint32_t> OrderOf(std::span<const TableIndex::Change> changes, KeyKind kind) {
  return DatabaseOrder(
      changes.size(), kind == KeyKind::kDuplicates, [&](size_t i) { return changes[i].key; },
      [](size_t i, size_t j) { return i < j; });
}

bool PositionLess(RowPosition a, RowPosition b) { return a.file != b.file ? a.file < b.file : a.row < b.row; }

}  // namespace

Result<std::unique_ptr<RocksDbTableIndex>> RocksDbTableIndex::Open(RocksDbDatabase& database, std::string table_id,
                                                                   KeyKind kind) {
  std::unique_ptr<RocksDbTableIndex> table(new RocksDbTableIndex(database, std::move(table_id), kind));
  std::string bytes;
  const rocksdb::Status status = database.db().Get({}, TableKey(table->table_id_), &bytes);
  if (status.IsNotFound()) return table;
  TRY_VOID(database.Check(status));
  TRY(TableRecord record, DecodeTableRecord(bytes));
  if (HoldsDuplicates(record.generation) != (kind == KeyKind::kDuplicates)) {
    TRY_VOID(database.DropTable(table->table_id_));  // The table has got or lost its key.
    return table;
  }

  const std::string files = FilesPrefix(record.generation);
  const std::string files_end = AfterPrefix(files);
  const rocksdb::Slice begin_slice(files);
  const rocksdb::Slice end_slice(files_end);
  rocksdb::ReadOptions read;
  read.total_order_seek = true;
  read.iterate_lower_bound = &begin_slice;
  read.iterate_upper_bound = &end_slice;
  const std::unique_ptr<rocksdb::Iterator> it(database.db().NewIterator(read));
  it->SeekToLast();
  if (it->Valid()) table->next_file_ = ReadUint32(it->key().data() + files.size()) + 1;
  TRY_VOID(database.Check(it->status()));
  table->record_ = std::move(record);
  return table;
}

Status RocksDbTableIndex::WriteRecord(const TableRecord& record) {
  TRY_VOID(database_.Check(database_.db().Put({}, TableKey(table_id_), EncodeTableRecord(record))));
  record_ = record;
  return {};
}

Status RocksDbTableIndex::CheckChanging() const {
  if (record_.has_value() && record_->state.changing_commit_id.has_value() && !record_->state.is_whole) return {};
  return MakeError(ErrorKind::kInternal, "the index of table {} was changed outside Begin and MarkWhole", table_id_);
}

Status RocksDbTableIndex::Reset(const std::string& commit_id) {
  const TableRecord fresh{.generation = database_.NewGeneration(kind_), .state = {.changing_commit_id = commit_id}};
  rocksdb::WriteBatch batch;
  TRY_VOID(database_.Check(batch.Put(TableKey(table_id_), EncodeTableRecord(fresh))));
  if (record_.has_value()) RocksDbDatabase::EraseGeneration(batch, record_->generation);
  TRY_VOID(BeforeStep(Failpoint::kIndexResetBefore));
  rocksdb::WriteOptions sync;
  sync.sync = true;
  TRY_VOID(database_.Check(database_.db().Write(sync, &batch)));
  AfterStep(Failpoint::kIndexResetAfter);
  if (record_.has_value()) database_.ReclaimGeneration(record_->generation);
  record_ = fresh;
  next_file_ = 0;
  begin_is_on_disk_ = true;
  return {};
}

Status RocksDbTableIndex::Begin(const std::string& commit_id) {
  if (!record_.has_value()) {
    return MakeError(ErrorKind::kInternal, "the index of table {} was never built: Reset comes before Begin",
                     table_id_);
  }
  if (const auto& changing = record_->state.changing_commit_id; changing.has_value()) {
    if (*changing != commit_id) {
      return MakeError(ErrorKind::kInternal, "the index of table {} already changes by commit {}, not by {}", table_id_,
                       *changing, commit_id);
    }
    if (!record_->state.is_whole) return {};
  }
  begin_is_on_disk_ = false;
  TRY_VOID(BeforeStep(Failpoint::kIndexBeginBefore));
  TRY_VOID(WriteRecord({.generation = record_->generation, .state = {.changing_commit_id = commit_id}}));
  AfterStep(Failpoint::kIndexBeginAfter);
  return {};
}

Status RocksDbTableIndex::MarkWhole() {
  if (record_.has_value() && record_->state.is_whole) return {};
  TRY_VOID(CheckChanging());
  TableRecord whole = *record_;
  whole.state.is_whole = true;
  return WriteRecord(whole);
}

Status RocksDbTableIndex::Complete(int64_t snapshot_id) {
  if (!record_.has_value() || !record_->state.is_whole) TRY_VOID(CheckChanging());
  TRY_VOID(BeforeStep(Failpoint::kIndexCompleteBefore));
  TRY_VOID(WriteRecord({.generation = record_->generation, .state = {.snapshot_id = snapshot_id}}));
  AfterStep(Failpoint::kIndexCompleteAfter);
  return {};
}

Result<uint32_t> RocksDbTableIndex::AddFile(const std::string& location) {
  if (!record_.has_value()) {
    return MakeError(ErrorKind::kInternal, "the index of table {} was never built: Reset comes before AddFile",
                     table_id_);
  }
  const std::string location_key = LocationKey(record_->generation, location);
  std::string bytes;
  const rocksdb::Status status = database_.db().Get({}, location_key, &bytes);
  if (status.ok() && bytes.size() == 4) return ReadUint32(bytes.data());
  if (!status.IsNotFound()) TRY_VOID(database_.Check(status));

  const uint32_t file = next_file_;
  bytes.clear();
  AppendUint32(bytes, file);
  rocksdb::WriteBatch batch;
  TRY_VOID(database_.Check(batch.Put(location_key, bytes)));
  TRY_VOID(database_.Check(batch.Put(FileKey(record_->generation, file), location)));
  TRY_VOID(database_.Check(database_.db().Write({}, &batch)));
  ++next_file_;
  return file;
}

Result<std::string> RocksDbTableIndex::FileLocation(uint32_t file) const {
  std::string location;
  if (record_.has_value()) {
    const rocksdb::Status status = database_.db().Get({}, FileKey(record_->generation, file), &location);
    if (status.ok()) return location;
    if (!status.IsNotFound()) TRY_VOID(database_.Check(status));
  }
  return MakeError(ErrorKind::kCorrupt, "the index of table {} knows no file number {}", table_id_, file);
}

Result<std::vector<std::optional<RowPosition>>> RocksDbTableIndex::Lookup(std::span<const std::string_view> keys) {
  Positions positions(keys.size());
  if (!record_.has_value() || keys.empty()) return positions;
  const auto order = DatabaseOrder(
      keys.size(), kind_ == KeyKind::kDuplicates, [&](size_t i) { return keys[i]; },
      [](size_t i, size_t j) { return i < j; });
  TRY_VOID(kind_ == KeyKind::kDuplicates ? LookupDuplicates(keys, order, positions)
                                         : LookupUnique(keys, order, positions));
  return positions;
}

Status RocksDbTableIndex::LookupUnique(std::span<const std::string_view> keys, std::span<const uint32_t> order,
                                       Positions& positions) {
  rocksdb::DB& db = database_.db();
  std::string bytes;
  std::array<size_t, kLookupKeys> ends;
  std::array<rocksdb::Slice, kLookupKeys> slices;
  std::array<rocksdb::PinnableSlice, kLookupKeys> values;
  std::array<rocksdb::Status, kLookupKeys> statuses;
  for (size_t from = 0; from < order.size();) {
    // The next distinct keys; `last` of them is the slot of the key last seen.
    bytes.clear();
    size_t count = 0;
    size_t to = from;
    for (; to < order.size(); ++to) {
      if (to > from && keys[order[to]] == keys[order[to - 1]]) continue;
      if (count == kLookupKeys) break;
      AppendRowPrefix(bytes, record_->generation, keys[order[to]]);
      ends[count++] = bytes.size();
    }
    for (size_t i = 0; i < count; ++i) {
      const size_t begin = i == 0 ? 0 : ends[i - 1];
      slices[i] = rocksdb::Slice(bytes.data() + begin, ends[i] - begin);
    }
    db.MultiGet({}, db.DefaultColumnFamily(), count, slices.data(), values.data(), statuses.data(), true);
    for (size_t at = from, slot = 0; at < to; ++at) {
      if (at > from && keys[order[at]] != keys[order[at - 1]]) ++slot;
      if (statuses[slot].IsNotFound()) continue;
      TRY_VOID(database_.Check(statuses[slot]));
      if (values[slot].size() != kPositionBytes) {
        return database_.Check(rocksdb::Status::Corruption("a row position of a wrong size"));
      }
      positions[order[at]] = ReadPosition(values[slot].data());
    }
    for (size_t i = 0; i < count; ++i) values[i].Reset();
    from = to;
  }
  return {};
}

Status RocksDbTableIndex::LookupDuplicates(std::span<const std::string_view> keys, std::span<const uint32_t> order,
                                           Positions& positions) {
  rocksdb::ReadOptions read;
  read.prefix_same_as_start = true;
  const std::unique_ptr<rocksdb::Iterator> it(database_.db().NewIterator(read));
  std::string seek;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || keys[order[i]] != keys[order[i - 1]]) {
      seek.clear();
      AppendRowPrefix(seek, record_->generation, keys[order[i]]);
      seek.append(kPositionBytes, '\0');
      it->Seek(seek);
    } else if (it->Valid()) {
      it->Next();
    }
    const std::string_view prefix = std::string_view(seek).substr(0, seek.size() - kPositionBytes);
    if (it->Valid() && it->key().size() == seek.size() && it->key().starts_with(prefix)) {
      positions[order[i]] = ReadPosition(it->key().data() + prefix.size());
    }
    TRY_VOID(database_.Check(it->status()));
  }
  return {};
}

Status RocksDbTableIndex::Apply(std::span<const Change> changes) {
  TRY_VOID(CheckChanging());
  TRY_VOID(BeforeStep(Failpoint::kIndexApplyBefore));
  const bool as_run = kind_ == KeyKind::kUnique && changes.size() >= database_.ingested_changes_min();
  TRY_VOID(as_run ? IngestChanges(changes) : WriteChanges(changes));
  AfterStep(Failpoint::kIndexApplyAfter);
  return {};
}

Status RocksDbTableIndex::WriteChanges(std::span<const Change> changes) {
  rocksdb::DB& db = database_.db();
  // In their order each finds its place in the memtable near the one before.
  const auto order = OrderOf(changes, kind_);
  rocksdb::WriteOptions options;
  options.memtable_insert_hint_per_batch = true;
  rocksdb::WriteBatch batch;
  std::string key;
  std::string position;
  for (const uint32_t place : order) {
    const Change& change = changes[place];
    key.clear();
    AppendRowPrefix(key, record_->generation, change.key);
    rocksdb::Status status;
    if (kind_ == KeyKind::kUnique) {
      if (change.put.has_value()) {
        position.clear();
        AppendPosition(position, *change.put);
        status = batch.Put(key, position);
      } else if (change.erase.has_value()) {
        status = batch.Delete(key);
      }
    } else {
      const size_t prefix = key.size();
      if (change.erase.has_value()) {
        AppendPosition(key, *change.erase);
        status = batch.Delete(key);
        key.resize(prefix);
      }
      if (change.put.has_value() && status.ok()) {
        AppendPosition(key, *change.put);
        status = batch.Put(key, rocksdb::Slice());
      }
    }
    TRY_VOID(database_.Check(status));
    if (batch.GetDataSize() >= kBatchBytesMax) {
      TRY_VOID(database_.Check(db.Write(options, &batch)));
      batch.Clear();
    }
  }
  return batch.Count() > 0 ? database_.Check(db.Write(options, &batch)) : Status();
}

Status RocksDbTableIndex::IngestChanges(std::span<const Change> changes) {
  const auto order = OrderOf(changes, kind_);
  return Ingest([&](rocksdb::SstFileWriter& writer) -> Status {
    std::string key;
    std::string position;
    for (size_t i = 0; i < order.size(); ++i) {
      const Change& change = changes[order[i]];
      // The last of a key's changes is what is left of it.
      if (i + 1 < order.size() && changes[order[i + 1]].key == change.key) continue;
      key.clear();
      AppendRowPrefix(key, record_->generation, change.key);
      if (change.put.has_value()) {
        position.clear();
        AppendPosition(position, *change.put);
        TRY_VOID(database_.Check(writer.Put(key, position)));
      } else if (change.erase.has_value()) {
        TRY_VOID(database_.Check(writer.Delete(key)));
      }
    }
    return {};
  });
}

Status RocksDbTableIndex::Load(std::vector<Entry> entries) {
  TRY_VOID(CheckChanging());
  if (entries.empty()) return {};
  TRY_VOID(BeforeStep(Failpoint::kIndexLoadBefore));
  TRY_VOID(Ingest([&](rocksdb::SstFileWriter& writer) { return WriteEntries(entries, writer); }));
  AfterStep(Failpoint::kIndexLoadAfter);
  return {};
}

Status RocksDbTableIndex::Ingest(const std::function<Status(rocksdb::SstFileWriter&)>& write) {
  // An ingested file is on disk at once. "Changing" must be there before it (see DropTablesChangedBeforeBoot).
  if (!begin_is_on_disk_) {
    TRY_VOID(database_.Check(database_.db().SyncWAL()));
    begin_is_on_disk_ = true;
  }
  const std::string path = database_.NewRunPath();
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), database_.options(), nullptr, /*invalidate_page_cache=*/false);
  Status loaded = database_.Check(writer.Open(path));
  if (loaded) loaded = write(writer);
  if (loaded) loaded = database_.Check(writer.Finish());
  if (loaded) {
    rocksdb::IngestExternalFileOptions options;
    options.move_files = true;
    options.snapshot_consistency = false;  // firn takes no RocksDB snapshots.
    options.write_global_seqno = false;
    loaded = database_.Check(database_.db().IngestExternalFile({path}, options));
  }
  std::remove(path.c_str());  // Moved means linked: the name here is left.
  return loaded;
}

Status RocksDbTableIndex::WriteEntries(std::span<const Entry> entries, rocksdb::SstFileWriter& writer) {
  const auto order = DatabaseOrder(
      entries.size(), kind_ == KeyKind::kDuplicates, [&](size_t i) { return entries[i].key; },
      [&](size_t i, size_t j) { return PositionLess(entries[i].position, entries[j].position); });
  std::string key;
  std::string value;
  for (size_t i = 0; i < order.size(); ++i) {
    const Entry& entry = entries[order[i]];
    key.clear();
    value.clear();
    AppendRowPrefix(key, record_->generation, entry.key);
    if (kind_ == KeyKind::kDuplicates) {
      AppendPosition(key, entry.position);
    } else {
      AppendPosition(value, entry.position);
      if (i > 0 && entry.key == entries[order[i - 1]].key) {
        return MakeError(ErrorKind::kCorrupt, "table {} has two rows with one key: its key columns are not unique",
                         table_id_);
      }
    }
    TRY_VOID(database_.Check(writer.Put(key, value)));
  }
  return {};
}

}  // namespace firn::index
