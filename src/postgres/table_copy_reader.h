// Reads a part of a table under an exported snapshot: COPY (SELECT … ) TO STDOUT (FORMAT binary).
//
//   "PGCOPY\n\377\r\n\0" | int32 flags | int32 extension length | rows: int16 fields, each int32 size (-1: NULL) +
//   bytes | int16 -1
//
// libpq hands over one CopyData message a row; the header comes in front of the first row, or of the end marker.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "model/source_table.h"
#include "model/wire_value.h"
#include "postgres/connection.h"

namespace firn::postgres {

/// As PostgreSQL is built nearly always (its block_size).
inline constexpr int64_t kHeapBlockBytes = 8'192;

/// Heap blocks [first, last) of a table; no `last`: to its end, however far that is.
struct BlockRange {
  int64_t first = 0;
  std::optional<int64_t> last;
};

struct CopyRequest {
  TableName table;
  std::vector<std::string> columns;  ///< Select expressions, already quoted: "id", "status"::text; none: NULL.
  std::optional<BlockRange> blocks;  ///< By ctid; nothing: the whole table (views of partitioned roots).
  std::string condition;             ///< SQL; without `blocks`.
};

/// An ordinary table is read without its inheritance children, which are tables of their own; a partitioned root is
/// read through its partitions, and `blocks` is then ignored.
std::string CopySql(const CopyRequest& request, bool partitioned = false);

/// Whether the server reads a block range without scanning the whole table (TID range scans, PostgreSQL 14). Older ones
/// give the right rows, but each part costs a full scan.
bool HasTidRangeScan(int server_version);

/// The size of the header that `data` begins with. kCorrupt when it is none, kUnsupported for flags that firn can't
/// read.
Result<size_t> ParseCopyHeader(std::string_view data);

/// Splits one row of COPY's binary format. kCorrupt says at which byte. `values` is overwritten; its pointers look into
/// `row`. False at the end marker.
Result<bool> ParseCopyRow(std::string_view row, std::vector<WireValue>& values);

/// One connection inside REPEATABLE READ with the snapshot. Single-threaded. Errors: those of Connection, and
/// kCancelled once `stop` is requested while waiting for the server.
class TableCopyReader {
 public:
  virtual ~TableCopyReader() = default;
  /// An empty `snapshot_name`: a snapshot of its own.
  static Result<std::unique_ptr<TableCopyReader>> Open(const ConnectionOptions& options,
                                                       const std::string& snapshot_name, std::stop_token stop = {});

  /// After the end of the part before, or at first. After an error: open a new reader.
  virtual Status Start(const CopyRequest& request) = 0;
  /// The next row's values, valid until the next call; an empty span at the end of the part (a row has at least one
  /// column here: firn selects NULL for a table without columns).
  virtual Result<std::span<const WireValue>> Next() = 0;
  /// Bytes received since Open.
  virtual int64_t bytes_received() const = 0;
};

}  // namespace firn::postgres
