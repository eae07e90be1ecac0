#include "pipeline/replaced_values.h"

#include "observe/log.h"

namespace firn::pipeline {

void ReportReplacedValues(Metrics& metrics, const std::string& table,
                          std::span<const encode::ReplacedValues> replaced) {
  for (const encode::ReplacedValues& values : replaced) {
    const std::string policy(ToString(values.policy));
    if (!metrics.AddUnrepresentableValues(table, values.column, policy, values.count)) continue;
    LogWarn(
        "a value that Iceberg can't hold was replaced; others of this column are counted in "
        "firn_unrepresentable_values_total",
        {{"table", table}, {"column", values.column}, {"value", values.first}, {"policy", policy}});
  }
}

}  // namespace firn::pipeline
