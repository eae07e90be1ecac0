// Whether PostgreSQL tells which rows of a partitioned table UPDATE and DELETE touch: each leaf has a replica identity
// of its own, and what it leaves out of an old row arrives as NULL, or not at all. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "firn/result.h"
#include "model/source_table.h"
#include "postgres/table_version.h"

namespace firn::pipeline {

/// kUnsupported, with leaves whose identity lacks columns of the key that firn finds the table's rows by, and the
/// statements that mend it; nothing where all tell enough. `leaves`: those of the table.
std::optional<Error> FindLeafProblem(const SourceTable& table, std::span<const postgres::LeafIdentity> leaves);

/// Of leaves without any identity, where PostgreSQL refuses UPDATE and DELETE; empty where there are none.
std::string LeafWarning(const SourceTable& table, std::span<const postgres::LeafIdentity> leaves);

}  // namespace firn::pipeline
