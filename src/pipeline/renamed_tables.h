// Tables of the source that have another name since firn last ran, or another schema: their Iceberg tables get the name
// that goes with it. The source's OID tells which is which.
#pragma once

#include <vector>

#include "catalog/catalog.h"
#include "model/source_table.h"
#include "pipeline/target_table.h"

namespace firn::pipeline {

/// Renames the Iceberg tables that `writer` keeps for `tables` under other names than `naming` gives them, swapped
/// names included. A name that another Iceberg table has, whose source table is none of `tables`, is not taken: the
/// source table is then copied into that one, as one that was dropped and made again is.
Status FollowRenamedTables(catalog::Catalog& catalog, const std::vector<SourceTable>& tables,
                           const TargetNaming& naming, const PipelineIdentity& writer);

}  // namespace firn::pipeline
