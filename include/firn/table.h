// Tables as an application describes them to a Destination: names, columns, values. Plain data.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

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

}  // namespace firn
