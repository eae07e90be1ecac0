// What a comparison found. Plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/lsn.h"
#include "model/source_table.h"

namespace firn::verify {

/// A key whose rows are not the same on both sides.
struct Difference {
  std::vector<std::string> key;  ///< Beside TableReport::key_columns.
  int64_t source_rows = 0;       ///< 0: PostgreSQL has no such row.
  int64_t table_rows = 0;        ///< 0: the Iceberg table has none.
  /// Where both have one row: the columns whose values differ.
  std::vector<std::string> columns;
};

enum class Outcome : uint8_t { kEqual, kDifferent, kNotCompared };

struct TableReport {
  TableName source;
  std::string target;
  Outcome outcome = Outcome::kNotCompared;
  std::string reason;       ///< Why it was not compared.
  bool is_failure = false;  ///< Not compared, though it could be.
  Lsn lsn;                  ///< Both sides as of it: transactions whose commit lies before.
  int64_t snapshot_id = 0;  ///< Of the Iceberg table.
  int64_t source_rows = 0;
  int64_t table_rows = 0;
  std::vector<std::string> key_columns;  ///< All columns, where the table has no key.
  /// Some of the keys that differ; `differing` of them there are, or more where not all were counted.
  std::vector<Difference> differences;
  int64_t differing = 0;
  bool has_more = false;
};

}  // namespace firn::verify
