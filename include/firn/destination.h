// Writes rows and changes of any source into Iceberg tables: what `firn run` does with PostgreSQL's, for an
// application.
//
//   auto destination = firn::Destination::Open({.catalog_uri = "sqlite:///lake/catalog.db", .warehouse = "/lake"});
//   (*destination)->DefineTable({.id = {"shop", "orders"}, .columns = {{"id", ColumnType::kLong}, …}, .key = {"id"}});
//   (*destination)->WriteTableRows({"shop", "orders"}, rows);
//   (*destination)->WriteEvents(events, position);
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "firn/result.h"

namespace firn {

/// Namespace and name of a table; the namespace's levels are parted by dots.
struct TableId {
  std::string name_space;
  std::string name;
  auto operator<=>(const TableId&) const = default;
};

enum class ColumnType : uint8_t {
  kBoolean,
  kInt,   ///< 32 bit
  kLong,  ///< 64 bit
  kFloat,
  kDouble,
  kDecimal,      ///< precision (1 to 38) and scale
  kDate,         ///< days since 1970-01-01
  kTime,         ///< microseconds since midnight
  kTimestamp,    ///< microseconds since 1970-01-01 00:00, without a zone
  kTimestampTz,  ///< microseconds since 1970-01-01 00:00 UTC
  kString,       ///< UTF-8
  kUuid,
  kBinary,
};

struct Column {
  std::string name;
  ColumnType type = ColumnType::kString;
  int32_t precision = 0;  ///< kDecimal
  int32_t scale = 0;      ///< kDecimal
};

/// A value by its column's type: bool; int64_t for integers, dates, times and timestamps; double for both floats;
/// std::string for strings, binaries, uuids ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6") and decimals ("-12.50").
/// std::monostate is NULL.
using Value = std::variant<std::monostate, bool, int64_t, double, std::string>;
using Row = std::vector<Value>;

/// A column that is made of each row's values: rows are given without it. `compute` throws nothing, and gives the same
/// value for the same row.
struct ComputedColumn {
  Column column;
  std::function<Value(const Row&)> compute;
};

/// What a change does to the table. A table stays in the mode that it was made in, but a mirror may become kSoftDelete
/// (docs/change_modes.md, which also tells of the columns that are added).
enum class ChangeMode : uint8_t {
  kMirror,      ///< The table holds the rows as they are: `cdc.mode: mirror`.
  kSoftDelete,  ///< … and the deleted ones, with _firn_deleted: `cdc.enable_deletes: false`.
  kHistory,     ///< Every version of a row, with _firn_valid_from, _firn_valid_to, _firn_current: `cdc.mode: history`.
  kAppend,      ///< Every change, with _firn_op, _firn_lsn, _firn_committed_at, _firn_before_key: `cdc.mode: append`.
};

struct TableDefinition {
  TableId id;
  std::vector<Column> columns;
  /// Names of the key columns, in order; none: rows can only be appended.
  std::vector<std::string> key = {};
  /// Stand after the columns.
  std::vector<ComputedColumn> computed = {};
  /// How files are divided, by any of the columns: "day(created_at)", "bucket(16, id)", "region" (docs/partitions.md).
  /// Another one than the table has holds for new files.
  std::vector<std::string> partition_by = {};
  ChangeMode mode = ChangeMode::kMirror;
  /// Adds _firn_op, _firn_lsn and _firn_committed_at in every mode: what made the row as it is, its position and time.
  bool track_changes = false;
};

enum class EventKind : uint8_t { kInsert, kUpdate, kDelete, kTruncate };

struct Event {
  EventKind kind = EventKind::kInsert;
  TableId table;
  Row row;  ///< kInsert, kUpdate: the whole new row.
  Row key;  ///< kDelete: the row's key. kUpdate: its old key where it changed, else empty.
  /// What the columns of change modes say of it. Events that follow each other with the same two are one transaction,
  /// of which a history keeps the last version of a row alone.
  uint64_t position = 0;        ///< Of its transaction in the source, growing (_firn_lsn); 0: that of the call.
  int64_t committed_at_us = 0;  ///< Of its transaction, since 1970-01-01 00:00 UTC; 0: the time of the call.
};

/// How rows of earlier commits are deleted (docs/engines.md says which engine reads what).
enum class DeleteForm : uint8_t {
  kPosition,  ///< Position delete files: format version 2.
  kVector,    ///< Deletion vectors: format version 3.
  kEquality,  ///< By key, without an index: slow to read. For tables with a key, in kMirror and kAppend.
};

struct DestinationOptions {
  std::string catalog_uri;  ///< sqlite:///path/catalog.db
  std::string catalog_name = "firn";
  std::string warehouse;          ///< A folder, or file://…
  std::string state_directory;    ///< For the index; a cache. Empty: ".firn" in a local warehouse.
  std::string pipeline = "firn";  ///< Written into each snapshot; another pipeline's tables are refused.
  int64_t target_file_size_bytes = 512 << 20;
  std::string compression = "zstd";        ///< snappy, zstd, gzip, lz4, none
  int max_retries = 10;                    ///< Of a commit.
  int format_version = 2;                  ///< 2 or 3. DefineTable upgrades an older table; none goes back.
  std::optional<DeleteForm> deletes = {};  ///< Nothing: kPosition, or kVector for format version 3.
};

/// Single-threaded: one thread at a time. Every call returns once its snapshot is committed: rows and position are
/// visible together or not at all. After a failed write the Destination is unusable; open another one, ask for Position
/// and go on from there.
///
/// Errors (ErrorKind): kTableNotFound (DefineTable first), kSchemaMismatch (row and columns differ), kAlreadyExists
/// (the table is not this pipeline's), kWriteFailed (given up after max_retries), kPermission, kTransient;
/// Error::origin() says whether catalog or storage gave it.
class Destination {
 public:
  virtual ~Destination() = default;
  static Result<std::unique_ptr<Destination>> Open(const DestinationOptions& options);

  /// Makes the table, or opens the one that is there: kSchemaMismatch when its columns or key are others,
  /// kInvalidConfig when it can't be partitioned or deleted from so, is of a later format version, or was made in a
  /// change mode that this one can't follow.
  virtual Status DefineTable(const TableDefinition& table) = 0;
  /// Deletes every row, in a snapshot of its own: earlier ones stay readable. In the other modes than kMirror it is a
  /// change like others (docs/change_modes.md), made now.
  virtual Status TruncateTable(const TableId& table) = 0;
  /// Appends rows that the table does not hold yet: inserts, now.
  virtual Status WriteTableRows(const TableId& table, std::span<const Row> rows) = 0;
  /// Applies events of any tables in order, and commits them together with `position`: how far the application's source
  /// has been read, growing from call to call, and not before any event's.
  virtual Status WriteEvents(std::span<const Event> events, uint64_t position) = 0;
  /// The position of the last commit to the table; nothing before the first.
  virtual Result<std::optional<uint64_t>> Position(const TableId& table) = 0;
};

}  // namespace firn
