// Where a table's rows lie: key → (data file, row position), in RocksDB. A cache of the table itself: lost or stale, it
// is rebuilt from the table's key columns, so it never has to be backed up.
//
// One RocksDB for all tables of a pipeline. Each life of a table's index (a rebuild, a truncate) has its own
// generation, the first four bytes of its keys, so that dropping one is a range deletion.
//
//   state of a table:   absent ──Rebuild──► clean(snapshot) ──Begin(commit id)──► changing(commit id)
//                                                ▲                                      │
//                                                └──Complete── whole(commit id) ◄──MarkWhole
//
// A killed process leaves "changing" or "whole"; if that is whole, and the table's last snapshot carries that commit
// id, the index is right and the caller completes it, else it is rebuilt. So Apply and Load come before MarkWhole, and
// that before the commit: a folder that was copied in the middle of a commit and put back after it has only some of its
// changes. A machine that goes down may lose the last changes, so a table found in either state after a boot is absent.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firn/result.h"

namespace firn::index {

/// A row's place. `file` numbers data files within the table's index generation.
struct RowPosition {
  uint32_t file = 0;
  uint32_t row = 0;
  bool operator==(const RowPosition&) const = default;
};

/// How keys map to rows: tables without a key are indexed by their whole row, and equal rows each have an entry.
enum class KeyKind : uint8_t { kUnique, kDuplicates };

struct IndexState {
  std::optional<int64_t> snapshot_id;             ///< Clean at this snapshot.
  std::optional<std::string> changing_commit_id;  ///< Changes of this commit are (partly) in.
  bool is_whole = false;                          ///< All of that commit's are.
};

class Database;

/// The index of one table; Database must outlive it. Errors: kCorrupt (the database is damaged and is made anew at the
/// next Open), kTransient (disk), kPermission, kInternal (a step out of the states' order). Single-threaded (one per
/// lane); different tables' indexes may be used at the same time.
class TableIndex {
 public:
  virtual ~TableIndex() = default;

  virtual IndexState state() const = 0;

  /// Drops everything and starts an empty generation in the state "changing(commit_id)".
  virtual Status Reset(const std::string& commit_id) = 0;
  /// Marks the index as changing, durably before any change. OK when it is already changing by this commit, of which
  /// more is then to come.
  virtual Status Begin(const std::string& commit_id) = 0;
  /// All changes of the commit are in: it may be made. None comes after it but with another Begin.
  virtual Status MarkWhole() = 0;
  /// All changes belong to `snapshot_id` now.
  virtual Status Complete(int64_t snapshot_id) = 0;

  /// The number of a data file, new or known. Numbers hold until Reset. Not before the first Reset.
  virtual Result<uint32_t> AddFile(const std::string& location) = 0;
  /// The location of a numbered file; kCorrupt when unknown.
  virtual Result<std::string> FileLocation(uint32_t file) const = 0;

  /// For each key, where its row lies; nothing for an unknown key. With kDuplicates any one of the equal rows, and a
  /// key that stands in `keys` n times gets n different rows as far as there are.
  virtual Result<std::vector<std::optional<RowPosition>>> Lookup(std::span<const std::string_view> keys) = 0;

  struct Change {
    std::string_view key;
    std::optional<RowPosition> erase;  ///< The entry to remove. kUnique: only tells that the old row is gone.
    std::optional<RowPosition> put;    ///< The row's new place.
  };
  virtual Status Apply(std::span<const Change> changes) = 0;

  /// Fast loading of many rows, in any order, each key once (but for kDuplicates): each call writes one sorted run that
  /// is ingested beside the memtable. A key that is in the index gets its new place.
  struct Entry {
    std::string_view key;
    RowPosition position;
  };
  virtual Status Load(std::vector<Entry> entries) = 0;
};

struct DatabaseOptions {
  size_t block_cache_bytes = 64 << 20;
  size_t write_buffer_bytes = 32 << 20;
  /// As many changes at once are sorted and ingested as a file; fewer go through the memtable. A file costs a sync, an
  /// entry of the memtable several times what one of a sorted file does.
  size_t ingested_changes_min = 20'000;
};

/// The RocksDB below `directory` (made when missing; one that can't be opened because it is damaged is deleted and made
/// anew, with a warning). kConflict when another process has it open. Thread-safety: every method may be called from
/// any thread; a table is opened once at a time.
class Database {
 public:
  virtual ~Database() = default;
  static Result<std::unique_ptr<Database>> Open(const std::string& directory, const DatabaseOptions& options = {});
  /// `table_id`: the Iceberg table's UUID, with what the keys are made of. A table whose kind has changed is absent.
  virtual Result<std::unique_ptr<TableIndex>> OpenTable(const std::string& table_id, KeyKind kind) = 0;
  /// Not while the table is open. OK for one that is not there.
  virtual Status DropTable(const std::string& table_id) = 0;
  /// The ids of all tables that are not absent.
  virtual Result<std::vector<std::string>> TableIds() = 0;
};

}  // namespace firn::index
