// The changes of one table between two flushes, as values: rows, the keys that changes name, and the order of it all.
//
//   rows      new row images, every column            changes   kInsert row 0
//   old_keys  key columns of old rows that an                    kUpdate row 1, old 0     (key changed)
//             UPDATE or DELETE named                            kUpdate row 2            (same key)
//                                                               kDelete        old 1
#pragma once

#include <cstdint>
#include <vector>

#include "encode/row_encoder.h"
#include "iceberg/schema.h"

namespace firn::pipeline {

enum class ChangeKind : uint8_t { kInsert, kUpdate, kDelete };

struct Change {
  ChangeKind kind = ChangeKind::kInsert;
  int32_t row = -1;  ///< In `rows`; -1 for a delete.
  int32_t old = -1;  ///< In `old_keys`; -1 for an insert, and for an update that keeps its key.
};

struct TableBatch {
  /// A TRUNCATE came before the first of these changes: nothing that the table held before is left.
  bool truncate_first = false;
  encode::EncodedRows rows;
  encode::EncodedRows old_keys;
  std::vector<Change> changes;
  size_t bytes = 0;  ///< Memory that rows and old_keys held when the batch was sealed.
};

/// How the rows of a table are told apart.
enum class RowIdentity : uint8_t {
  kKey,       ///< By key columns: at most one row each.
  kWholeRow,  ///< No key, REPLICA IDENTITY FULL: equal rows are interchangeable, an update or delete takes one of them.
  kAppendOnly,  ///< Nothing tells: only inserts and truncates can come.
};

struct TableLayout {
  iceberg::Schema schema;
  RowIdentity identity = RowIdentity::kAppendOnly;
  /// Indexes into the schema's fields: the key columns, or all columns for kWholeRow. Empty for kAppendOnly.
  std::vector<int> key_columns;
};

}  // namespace firn::pipeline
