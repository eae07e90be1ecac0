// First copies of large tables by another engine, which reads ranges of the heap by itself, at any moments, and writes
// into a branch of the Iceberg table that no reader looks at.
//
//   L1 ──► OutsideCopier::Copy ──► branch's data files ──► CopyCheckpoints ("read since L1") ──► branch dropped
//                                                                 │
//                                   L2: the copy goes on as one that broke off after its last range:
//                                   rows of keys that changed in [L1, L2) are read again, one commit to main
//
// docs/decisions/0009-copies-go-on-where-they-were.md says why the table is then what one snapshot at L2 sees.
#pragma once

#include <cstdint>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/retry_policy.h"
#include "catalog/catalog.h"
#include "pipeline/copy_checkpoints.h"
#include "pipeline/target_table.h"
#include "postgres/table_copy_reader.h"
#include "storage/file_store.h"

namespace firn::pipeline {

/// What the other engine makes of a value that it has read.
enum class OutsideForm : uint8_t {
  kAsRead,
  kDays,       ///< A date, of days since 1970-01-01.
  kMicros,     ///< A timestamp without a zone, of microseconds since 1970-01-01 00:00.
  kMicrosUtc,  ///< … with a zone.
};

struct OutsideColumn {
  std::string name;  ///< In Iceberg.
  std::string sql;   ///< Gives a value that drivers carry as it is.
  std::string type;  ///< Of it, in Spark's words: "bigint", "decimal(10,2)".
  OutsideForm form = OutsideForm::kAsRead;
};

struct OutsideTable {
  iceberg::TableIdent ident;
  std::string branch;  ///< To be made, and written to.
  std::string from;    ///< SQL: ONLY "public"."orders"
  std::vector<OutsideColumn> columns;
  std::vector<postgres::BlockRange> ranges;  ///< By ctid; together the whole heap.
};

class OutsideCopier {
 public:
  virtual ~OutsideCopier() = default;
  /// For messages.
  virtual std::string_view name() const = 0;
  /// Each table's outcome, in their order; OK: its branch holds each row that was there all the time. An error where
  /// nothing was begun, kCancelled after a stop.
  virtual Result<std::vector<Status>> Copy(const std::vector<OutsideTable>& tables, const std::stop_token& stop) = 0;
};

/// The SQL that the engine's sessions begin with: values are printed as in firn's own.
std::string OutsideSessionSettings();

/// Why firn copies the table itself; "" where another engine can do it, and gives the same values. Of one that is read
/// in one range, no more than `range_bytes` of heap, it is not worth it.
std::string WhyNotOutside(const TargetTable& target, int64_t range_bytes);

/// Of a table that WhyNotOutside has nothing against.
OutsideTable PlanOutside(const TargetTable& target, int64_t range_bytes);

inline constexpr std::string_view kCopyBranchPrefix = "firn_copy_";
bool HasCopyBranch(const iceberg::TableMetadata& table);

/// What the branch holds, to be entered as read since `since`. kCorrupt for what a copy can't have written.
Result<CopiedRanges> ReadOutside(storage::FileStore& store, const iceberg::TableMetadata& table,
                                 const std::string& branch, Lsn since);

/// Takes all branches of copies away, with their snapshots, and deletes what only these had: but for the data files of
/// `kept`.
Status DropCopyBranches(catalog::Catalog& catalog, storage::FileStore& store, const iceberg::TableIdent& ident,
                        const std::set<std::string>& kept, const RetryPolicy& retry, const std::stop_token& stop);

/// Returns once every transaction has ended that was open at the call: what is read afterwards sees all whose commit
/// records lie before the end of the WAL at the call. PostgreSQL writes the record first, and shows the rows a moment
/// later, or after a standby's answer.
Status WaitForOpenTransactions(const postgres::ConnectionOptions& connection, const std::stop_token& stop);

}  // namespace firn::pipeline
