// Compaction by an existing Spark, where one machine is not enough: Iceberg's rewrite_data_files,
// rewrite_position_delete_files and rewrite_manifests, called by a script (spark_compaction.py) that firn submits.
//
//   tables, catalog, secrets ──► job file, properties file (0600, in a folder of 0700) ──► spark-submit, or python3
//                                                                                              │    (Spark Connect)
//   SparkOutcome a table ◄── lines on stdout ──────────────────────────────────────────────────┘
//
// The driver runs beside firn (Spark's "client" deploy mode). A firn that streams into the tables follows the rows to
// their new files, as after any other writer's rewrite.
#pragma once

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "firn/result.h"
#include "iceberg/table_update.h"
#include "maintenance/spark_job.h"

namespace firn::maintenance {

struct SparkTable {
  iceberg::TableIdent ident;
  int format_version = 2;
  bool is_sorted = false;                              ///< By the table's sort order.
  std::map<std::string, std::string> rewrite_options;  ///< Of rewrite_data_files.
};

/// What the procedures tell of one table.
struct SparkCounts {
  int64_t data_files_rewritten = 0;
  int64_t data_files_added = 0;
  int64_t bytes_rewritten = 0;
  int64_t delete_files_gone = 0;
  int64_t delete_files_added = 0;
  int64_t manifests_rewritten = 0;
  int64_t manifests_added = 0;
};
struct SparkOutcome {
  iceberg::TableIdent ident;
  Result<SparkCounts> result;
};

/// Runs the job to its end; the tables' outcomes, in their order. Each is logged when it is known, and Spark's own log
/// at level debug. kWriteFailed when Spark could not be started or its job broke off, with the last lines that it wrote
/// and, where the cause is known, its remedy; kCancelled after a stop. No secret reaches a command line, a log or an
/// error.
Result<std::vector<SparkOutcome>> CompactWithSpark(const SparkOptions& options, const std::vector<SparkTable>& tables,
                                                   const std::stop_token& stop);

}  // namespace firn::maintenance
