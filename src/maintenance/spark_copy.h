// First copies by an existing Spark: its JDBC reader reads ranges of a table's heap in parallel and writes them into a
// branch of the Iceberg table, by a script (spark_copy.py) that firn submits as it does that of the compaction.
#pragma once

#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "maintenance/spark_job.h"
#include "pipeline/outside_copy.h"

namespace firn::maintenance {

struct SparkCopyOptions {
  SparkOptions spark;
  std::map<std::string, std::string> jdbc;  ///< "uri", "user", "password", …: the source, for its JDBC driver.
};

class SparkCopier final : public pipeline::OutsideCopier {
 public:
  explicit SparkCopier(SparkCopyOptions options) : options_(std::move(options)) {}

  // pipeline::OutsideCopier
  std::string_view name() const override { return "Spark"; }
  Result<std::vector<Status>> Copy(const std::vector<pipeline::OutsideTable>& tables,
                                   const std::stop_token& stop) override;

 private:
  const SparkCopyOptions options_;
};

}  // namespace firn::maintenance
