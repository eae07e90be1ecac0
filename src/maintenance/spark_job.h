// An existing Spark that firn submits jobs to: where it is, and how it reaches the tables.
#pragma once

#include <map>
#include <string>

#include "firn/result.h"

namespace firn::maintenance {

/// Where Spark is, and how it reaches the tables.
struct SparkOptions {
  std::string submit;                       ///< The path of spark-submit; not needed with Spark Connect.
  std::string python = "python3";           ///< With pyspark's client, for Spark Connect.
  std::string master;                       ///< Empty: as Spark's own settings say. "sc://…": Spark Connect.
  std::map<std::string, std::string> conf;  ///< Spark's own settings. May hold secrets.
  std::string catalog;                      ///< The catalog's name in Spark.
  std::map<std::string, std::string> catalog_properties;  ///< "uri" → …. May hold secrets.
  std::map<std::string, std::string> environment;         ///< Of the driver. May hold secrets.

  bool IsConnect() const { return master.starts_with("sc://"); }
};

/// `given` (a path, or a program of PATH), else bin/spark-submit below `spark_home`, else spark-submit of PATH; the
/// last two may be empty. kInvalidConfig names the places that were looked at.
Result<std::string> FindSparkSubmit(const std::string& given, const std::string& spark_home, const std::string& path);

}  // namespace firn::maintenance
