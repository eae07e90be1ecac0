// Tables of the source that have another name since firn last ran, or another schema: their Iceberg tables get the name
// that goes with it. The source's OID tells which is which.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/retry_policy.h"
#include "catalog/catalog.h"
#include "model/source_table.h"
#include "pipeline/target_table.h"

namespace firn::pipeline {

/// Renames the Iceberg tables that `writer` keeps for `tables` under other names than `naming` gives them, swapped
/// names included. A name that another Iceberg table has, whose source table is none of `tables`, is not taken: the
/// source table is then copied into that one, as one that was dropped and made again is.
Status FollowRenamedTables(catalog::Catalog& catalog, const std::vector<SourceTable>& tables,
                           const TargetNaming& naming, const PipelineIdentity& writer);

/// MarkTable for the Iceberg table that `writer` keeps for source table `oid`, whatever its name is; OK where there is
/// none.
Status MarkTableOf(catalog::Catalog& catalog, TableOid oid, const PipelineIdentity& writer, const std::string& reason,
                   const RetryPolicy& retry, std::stop_token stop);

}  // namespace firn::pipeline
