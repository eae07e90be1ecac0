// Writes rows and changes of any source into Iceberg tables: what `firn run` does with PostgreSQL's, for an
// application.
//
//   auto destination = firn::Destination::Open({.catalog_uri = "sqlite:///lake/catalog.db", .warehouse = "/lake"});
//   (*destination)->DefineTable({.id = {"shop", "orders"}, .columns = {{"id", ColumnType::kLong}, …}, .key = {"id"}});
//   (*destination)->WriteTableRows({"shop", "orders"}, rows);
//   (*destination)->WriteEvents(events, position);
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "firn/result.h"
#include "firn/stores.h"
#include "firn/table.h"

// Arrow's C data interface, as <arrow/c/abi.h> and <firn/firn.h> have it.
struct ArrowArray;
struct ArrowSchema;

namespace firn {

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
  std::string catalog_uri;  ///< sqlite:///path/catalog.db, or postgresql://…
  std::string catalog_name = "firn";
  std::string warehouse;  ///< A folder, or file://… s3://… gs://… abfss://…
  /// In place of these three, for any catalog and store with any setting: the sections `catalog` and `storage` of a
  /// configuration file (docs/configuration.md), as YAML or JSON. ${VAR} expands, and the process's FIRN_CATALOG_… and
  /// FIRN_STORAGE_… variables win, as for a file.
  std::string configuration;
  std::string state_directory;    ///< For the index; a cache. Empty: ".firn" in a local warehouse.
  std::string pipeline = "firn";  ///< Written into each snapshot; another pipeline's tables are refused.
  int64_t target_file_size_bytes = 512 << 20;
  std::string compression = "zstd";        ///< snappy, zstd, gzip, lz4, none
  int max_retries = 10;                    ///< Of a commit, and of each request that may pass.
  int format_version = 2;                  ///< 2 or 3. DefineTable upgrades an older table; none goes back.
  std::optional<DeleteForm> deletes = {};  ///< Nothing: kPosition, or kVector for format version 3.
  /// The application's own, beside what the tables hold in any case (firn/stores.h); null: none.
  std::shared_ptr<StateStore> state_store = nullptr;
  /// Where definitions of tables come from that DefineTable has not been called for; null: the tables themselves.
  std::shared_ptr<SchemaStore> schema_store = nullptr;
};

/// Thread-safety: one thread at a time. Write… and TruncateTable return once their snapshot is committed; what is added
/// by Add… is committed by Commit, before which no Write… may come: rows and position are visible together or not at
/// all. What is refused before anything is written (kSchemaMismatch, kInvalidConfig) leaves everything as it was. After
/// a write that failed the Destination is unusable, and each call says so (kWriteFailed): open another one, ask for
/// Position and go on from there.
///
/// Errors (ErrorKind): kTableNotFound (DefineTable first), kSchemaMismatch (row and columns differ), kInvalidConfig (a
/// call, definition or option that can't be), kAlreadyExists (the table is not this pipeline's), kWriteFailed (given up
/// after max_retries), kPermission, kTransient; Error::origin() says whether catalog or storage gave it.
///
/// Warnings go to standard error, without secrets; where Replicate runs in the process, its log.level says what does.
class Destination {
 public:
  virtual ~Destination() = default;
  static Result<std::unique_ptr<Destination>> Open(const DestinationOptions& options);

  /// Makes the table, or opens the one that is there, which gets the columns that it lacks and the wider types (int to
  /// long, float to double, a decimal of more digits) of those that are not of the key: kSchemaMismatch when it has
  /// columns that the definition lacks, other types, or another key, kInvalidConfig when it can't be partitioned or
  /// deleted from so, is of a later format version, or was made in a change mode that this one can't follow;
  /// kSourceLost when the state store knows of a later commit than the table. A table that was defined before needs no
  /// new definition, unless it has computed columns: the schema store, or the table itself, says what it was.
  virtual Status DefineTable(const TableDefinition& table) = 0;
  /// Deletes every row, in a snapshot of its own: earlier ones stay readable. In the other modes than kMirror it is a
  /// change like others (docs/change_modes.md), made now.
  virtual Status TruncateTable(const TableId& table) = 0;
  /// Appends rows that the table does not hold yet: inserts, now. They are at the table's position; a new table's is 0
  /// then. A load of several calls that was cut off begins with TruncateTable.
  virtual Status WriteTableRows(const TableId& table, std::span<const Row> rows) = 0;
  /// Applies events of any tables in order, and commits them together with `position`: how far the application's source
  /// has been read, not before any event's, and behind the last one of each of these tables: what was written is
  /// refused the second time (kInvalidConfig).
  virtual Status WriteEvents(std::span<const Event> events, uint64_t position) = 0;

  /// Adds rows of Arrow's C data interface, a struct array with a field for each column, to the next Commit. For
  /// kInsert and kUpdate whole rows: a column that is missing is NULL; kUpdate of a key that the table doesn't hold is
  /// an insert. For kDelete the key columns; others are ignored. kTruncate takes none: AddTruncate.
  /// Columns are found by name, in any order. Types are the columns' own, or what converts to them without loss:
  /// other integers and decimals and units of time whose values fit, float for double, large and view layouts,
  /// dictionaries, all NULL. kSchemaMismatch names the column.
  /// Takes both structs over: they are released when the call returns, whatever it returns.
  /// What has been added is in memory until it is 64 MiB of a table, then in files that no snapshot names yet; of a
  /// table with columns of firn's own (docs/change_modes.md) it stays in memory until Commit.
  virtual Status AddRows(const TableId& table, EventKind kind, ArrowSchema* schema, ArrowArray* rows) = 0;
  virtual Status AddTruncate(const TableId& table) = 0;
  /// Commits what was added, of all tables together, with `position`, as WriteEvents does.
  virtual Status Commit(uint64_t position) = 0;

  /// The position of the last commit to the table; nothing before the first.
  virtual Result<std::optional<uint64_t>> Position(const TableId& table) = 0;
};

/// The columns of a table for such rows, as Arrow describes them: int8 to int32 (and uint8, uint16) kInt, int64 and
/// uint32 kLong, decimal128 kDecimal, any timestamp kTimestamp or with a zone kTimestampTz, arrow.uuid kUuid, and so
/// on. kUnsupported for a type without a counterpart. Releases `schema`.
Result<std::vector<Column>> ColumnsOf(ArrowSchema* schema);

}  // namespace firn
