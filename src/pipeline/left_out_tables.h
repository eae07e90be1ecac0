// Tables that the configuration leaves out of what the publication sends: their changes pass by unheard, which nothing
// would tell once they are chosen again.
#pragma once

#include <stop_token>

#include "base/retry_policy.h"
#include "catalog/catalog.h"
#include "pipeline/progress.h"
#include "pipeline/source_setup.h"
#include "pipeline/target_table.h"

namespace firn::pipeline {

/// Marks those of them that `writer` has copied as to be copied anew (parked_tables.h).
Status MarkLeftOutTables(catalog::Catalog& catalog, const SourceState& source, const TargetNaming& naming,
                         const PipelineIdentity& writer, const RetryPolicy& retry, std::stop_token stop);

}  // namespace firn::pipeline
