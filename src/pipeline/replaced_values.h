// Tells of values that a column's policy replaced, because its Iceberg type can't hold them.
#pragma once

#include <span>
#include <string>

#include "encode/unrepresentable_values.h"
#include "observe/metrics.h"

namespace firn::pipeline {

/// Adds to firn_unrepresentable_values_total, and logs a column's first ones. Thread-safe.
void ReportReplacedValues(Metrics& metrics, const std::string& table, std::span<const encode::ReplacedValues> replaced);

}  // namespace firn::pipeline
