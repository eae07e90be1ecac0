// Whether PostgreSQL has changes of tables that are not in Iceberg, asked where no firn streams: a table without any
// holds what a later snapshot sees, and can be compared with it.
//
//   slot, copied ──► stream, commits in [where the table is, snapshot) ──► does one change it?
#pragma once

#include <chrono>
#include <span>
#include <stop_token>

#include "firn/result.h"
#include "model/lsn.h"
#include "model/source_table.h"
#include "postgres/replication_stream.h"

namespace firn::verify {

struct UnstreamedTable {
  TableOid oid;
  Lsn since;  ///< Where it is in Iceberg: it holds transactions whose commit record starts before.
  bool has_changed = false;
};

/// Reads transactions whose commit record starts before `until`, and no further than to the first change of the last
/// table. `stream`: from the least `since` on, not to be used afterwards. kTransient when that takes longer than
/// `deadline`.
Status FindUnstreamed(postgres::ReplicationStream& stream, std::span<UnstreamedTable> tables, Lsn until,
                      std::chrono::steady_clock::time_point deadline, const std::stop_token& stop);

}  // namespace firn::verify
