// From the configuration to an existing Spark that reaches the same catalog and files as firn does.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/expand.h"
#include "firn/result.h"
#include "iceberg/table_metadata.h"
#include "maintenance/spark_copy.h"
#include "maintenance/spark_job.h"

namespace firn::cli {

/// What of the configuration Spark is told, in Iceberg's words for it.
struct SparkLake {
  std::string catalog;                             ///< Its name in Spark.
  std::map<std::string, std::string> properties;   ///< Of the catalog, those of the files' stores among them.
  std::map<std::string, std::string> environment;  ///< Of Spark's driver.
  std::map<std::string, std::string> conf;         ///< Spark's own, for its executors.
  std::vector<std::string> gaps;                   ///< What Spark can't be told, each a sentence with its remedy.
};
/// Connects to a catalog in PostgreSQL. kUnsupported: Spark can't reach the catalog, whatever it is told.
Result<SparkLake> SparkLakeOf(const config::Config& config, const config::Environment& environment);

/// `submit`: over spark.submit, where it isn't empty. What Spark can't be told is logged as a warning.
/// kInvalidConfig: there is no Spark.
Result<maintenance::SparkOptions> SparkOptionsOf(const config::Config& config, const std::string& submit,
                                                 const config::Environment& environment);

/// The same for copies, with what Java's driver needs to reach the source. Connects to PostgreSQL. kUnsupported: Java
/// can't reach it.
Result<maintenance::SparkCopyOptions> SparkCopyOptionsOf(const config::Config& config, const std::string& submit,
                                                         const config::Environment& environment);

/// Of rewrite_data_files, for one table.
std::map<std::string, std::string> RewriteOptionsOf(const config::Config& config, const iceberg::TableMetadata& table);

}  // namespace firn::cli
