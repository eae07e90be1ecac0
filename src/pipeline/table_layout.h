// The columns of an Iceberg table that firn fills, by who gives their values.
//
//   layout.schema   source columns │ computed columns │ firn's own columns
//                   from the batch │   AddColumns makes these of the batch and of what it is told about each row
//
// The order is firn's: the Iceberg schema may hold the same fields in another one, and others between them that firn
// doesn't know. Readers find a data file's columns by field id.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "iceberg/schema.h"

namespace arrow {
class Array;
class RecordBatch;
}  // namespace arrow

namespace firn::pipeline {

/// How the rows of a table are told apart.
enum class RowIdentity : uint8_t {
  kKey,       ///< By key columns: at most one row each.
  kWholeRow,  ///< No key, REPLICA IDENTITY FULL: equal rows are interchangeable, an update or delete takes one of them.
  kAppendOnly,  ///< Nothing tells: only inserts and truncates can come.
};

/// What a change of the source does to the table (docs/change_modes.md).
enum class ChangeMode : uint8_t {
  kMirror,      ///< The table's rows are the source's.
  kSoftDelete,  ///< … and those that the source deleted, marked.
  kHistory,     ///< Each version of a row is a row.
  kAppend,      ///< Each change is a row.
};

/// A column that tells about the row and not what the source holds (docs/change_modes.md).
enum class OwnColumn : uint8_t {
  kOperation,    ///< _firn_op
  kLsn,          ///< _firn_lsn
  kCommittedAt,  ///< _firn_committed_at
  kBeforeKey,    ///< _firn_before_key: a struct of the layout's key columns
  kDeleted,      ///< _firn_deleted
  kValidFrom,    ///< _firn_valid_from
  kValidTo,      ///< _firn_valid_to
  kCurrent,      ///< _firn_current
};

/// How rows of earlier commits are deleted (docs/decisions/0006, 0007).
enum class DeleteForm : uint8_t {
  kPosition,  ///< By place, which the index knows: position delete files, or vectors in tables of format version 3.
  kEquality,  ///< By key: equality delete files. No index is needed.
};
/// Gives a computed column's values, one for each row of a batch of the source's columns. Thread-safe.
using ColumnFunction = std::function<Result<std::shared_ptr<arrow::Array>>(const arrow::RecordBatch&)>;

struct TableLayout {
  /// Source columns in the mapping's order, computed columns, firn's own. Field ids are the table's.
  iceberg::Schema schema;
  ChangeMode mode = ChangeMode::kMirror;
  RowIdentity identity = RowIdentity::kAppendOnly;
  DeleteForm deletes = DeleteForm::kPosition;
  /// Source columns (so also indexes into the schema's fields): the key columns, or all of them for kWholeRow. Empty
  /// for kAppendOnly.
  std::vector<int> key_columns;
  /// The fields after the source columns, in order: what makes them.
  std::vector<ColumnFunction> computed;
  /// The last fields of the schema, in order.
  std::vector<OwnColumn> own_columns;

  /// Whether a row of the source is a row of the table as it stands.
  bool HasAddedColumns() const { return !computed.empty() || !own_columns.empty(); }
  std::span<const iceberg::Field> source_fields() const {
    return std::span(schema.fields).first(schema.fields.size() - computed.size() - own_columns.size());
  }
};

}  // namespace firn::pipeline
