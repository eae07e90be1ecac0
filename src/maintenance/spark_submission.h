// Submits a job of this room to Spark: a script in Python, what it is told, and what it tells.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "firn/result.h"
#include "iceberg/table_update.h"
#include "maintenance/spark_job.h"

namespace firn::maintenance {

struct SparkSubmission {
  std::string name;         ///< "compaction": for people, in Spark's pages.
  std::string script_name;  ///< "spark_compaction.py"
  std::string_view script;  ///< It may import spark_job.
  nlohmann::json job;       ///< Its own part; catalog and session are added.
  /// By names that tell which are secrets ("password"), beside those of the options.
  std::map<std::string, std::string> secrets;
  /// Called for each line of JSON that the script reports. Its "error" has no secrets, and a remedy where the cause is
  /// known.
  std::function<void(const nlohmann::json& line)> on_line;
};

struct SparkEnd {
  /// What is to be said where the script did not report all that it should have: kWriteFailed with the last lines of
  /// Spark, and a remedy where the cause is known.
  Error broken_off;
};
/// Runs the job to its end. An error where Spark could not be started, and kCancelled after a stop. No secret reaches a
/// command line, a log or an error.
Result<SparkEnd> SubmitToSpark(const SparkOptions& options, const SparkSubmission& submission,
                               const std::stop_token& stop);

/// A table's name as the scripts take it: namespaces first.
inline std::vector<std::string> NameForSpark(const iceberg::TableIdent& ident) {
  std::vector<std::string> name = ident.namespace_levels;
  name.push_back(ident.name);
  return name;
}

}  // namespace firn::maintenance
