// Compares the contents of both sides at one LSN, while firn runs and the source goes on changing.
//
//   temporary slot ──► snapshot at L ──► COPY ─────────────────┐
//        └───────────► stream, commits in [L, P) ──────────────┴──► rows at P ──┐
//   wait until the Iceberg table is at P ≥ L ──► its rows at P ─────────────────┴──► equal?
//
// Where no firn streams, a table that is before L is compared all the same if the pipeline's slot has no changes of it
// up to there.
//
// P is where the table happens to be once it has reached L, so nothing has to stop or to be told, and a row that
// changes all the time is compared as well as any other. A table that is altered or truncated meanwhile is compared
// again.
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "firn/result.h"
#include "pipeline/source_setup.h"
#include "pipeline/target_table.h"
#include "storage/file_store.h"
#include "verify/table_report.h"

namespace firn::verify {

struct VerifyOptions {
  pipeline::SourceOptions source;
  pipeline::TargetNaming naming;
  std::function<Result<pipeline::TableSettings>(const TableName&)> settings_of;
  /// Patterns as in source.tables; none: every replicated table.
  std::vector<std::string> tables;
  /// How long to wait for a running firn to bring a table to the snapshot's position, and to compare it again when it
  /// was altered.
  std::chrono::milliseconds wait{300'000};
};

/// A report for each table, by name. It makes temporary replication slots, which are gone with their connections. An
/// error where nothing could be compared: the source has a problem, or its slot is not there.
Result<std::vector<TableReport>> Verify(const VerifyOptions& options, catalog::Catalog& catalog,
                                        storage::FileStore& store, const std::stop_token& stop);

}  // namespace firn::verify
