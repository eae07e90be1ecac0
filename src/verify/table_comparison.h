// Compares one table's rows in PostgreSQL with those of its Iceberg table, in memory that doesn't grow with them: sums
// of both sides by bucket first; where they differ, the rows of those buckets, read once more.
#pragma once

#include <stop_token>

#include "firn/result.h"
#include "pipeline/target_table.h"
#include "postgres/table_copy_reader.h"
#include "storage/file_store.h"
#include "verify/later_changes.h"
#include "verify/table_report.h"

namespace firn::verify {

struct Sides {
  postgres::TableCopyReader& reader;  ///< At the snapshot.
  LaterChanges& changes;              ///< From the snapshot to the Iceberg table's position.
  storage::FileStore& store;
  const pipeline::TargetTable& target;
};

/// Fills in the rows, the outcome and the differences.
Status CompareTable(const Sides& sides, TableReport& report, const std::stop_token& stop);

}  // namespace firn::verify
