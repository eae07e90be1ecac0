// A catalog whose calls are tried again when they fail for a while; commits are the commit loop's.
#pragma once

#include <memory>

#include "catalog/catalog.h"
#include "observe/retrier.h"

namespace firn::catalog {

/// Calls that fail with kTransient, which did nothing then, are made again as `retrier` has it. CommitTables is passed
/// on: the commit loop knows what a failed commit means. `catalog` outlives it.
/// Thread-safety and errors: as Catalog; kWriteFailed once the retries are used up, kCancelled after a stop.
std::unique_ptr<Catalog> MakeRetryingCatalog(Catalog& catalog, std::shared_ptr<Retrier> retrier);

}  // namespace firn::catalog
