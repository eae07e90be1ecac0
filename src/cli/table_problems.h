// What is wrong with a table and its settings, for people: all of it.
#pragma once

#include <vector>

#include "firn/result.h"
#include "model/source_table.h"
#include "pipeline/table_settings.h"

namespace firn::cli {

/// Why no Iceberg table can be made for `source`: where pipeline::CheckNewTargetTable stops at the first reason, the
/// settings are tried one by one.
std::vector<Error> NewTableProblems(const SourceTable& source, const pipeline::TableSettings& settings);

}  // namespace firn::cli
