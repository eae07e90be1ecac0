// Reads a part of a table under an exported snapshot: COPY (SELECT … ) TO STDOUT (FORMAT binary).
//
//   "PGCOPY\n\377\r\n\0" | int32 flags | int32 extension length | rows: int16 fields, each int32 size (-1: NULL) + bytes | int16 -1
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/source_table.h"
#include "model/wire_value.h"
#include "postgres/connection.h"

namespace firn::postgres {

/// Heap blocks [first, last) of a table; no `last`: to its end, however far that is.
struct BlockRange {
  int64_t first = 0;
  std::optional<int64_t> last;
};

struct CopyRequest {
  TableName table;
  std::vector<std::string> columns;  ///< Select expressions, already quoted: "id", "status"::text
  std::optional<BlockRange> blocks;  ///< By ctid; nothing: the whole table (views of partitioned roots).
};
std::string CopySql(const CopyRequest& request);

/// Splits one row of COPY's binary format. kCorrupt says at which byte. `values` is overwritten; its pointers look into
/// `row`. False at the end marker.
Result<bool> ParseCopyRow(std::string_view row, std::vector<WireValue>& values);

/// One connection inside REPEATABLE READ with the snapshot. Single-threaded.
class TableCopyReader {
 public:
  virtual ~TableCopyReader() = default;
  static Result<std::unique_ptr<TableCopyReader>> Open(const ConnectionOptions& options, const std::string& snapshot_name);

  virtual Status Start(const CopyRequest& request) = 0;
  /// The next row's values, valid until the next call; an empty span at the end of the part (a row has at least one
  /// column here: firn selects NULL for a table without columns).
  virtual Result<std::span<const WireValue>> Next() = 0;
  /// Bytes received since Open.
  virtual int64_t bytes_received() const = 0;
};

}  // namespace firn::postgres
