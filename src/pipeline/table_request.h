// Requests to copy a table again, sent through the source: `firn resync` writes one into PostgreSQL's log, where the
// pipeline hears it in its place among the changes, now or when it runs again.
//
//   firn resync ──► pg_logical_emit_message ──► WAL ──► stream ──► ParseCopyRequest ──► mark, copy
#pragma once

#include <optional>
#include <string>

#include "model/source_table.h"
#include "postgres/connection.h"
#include "postgres/pgoutput.h"

namespace firn::pipeline {

/// In a transaction of its own. `slot`: the pipeline that is to hear it. kUnsupported before PostgreSQL 14, which
/// doesn't send messages to pgoutput's readers.
Status SendCopyRequest(postgres::Connection& connection, const std::string& slot, TableOid table);

/// The table that `slot`'s pipeline is asked to copy; nothing for any other message.
std::optional<TableOid> ParseCopyRequest(const postgres::LogicalMessage& message, const std::string& slot);

}  // namespace firn::pipeline
