// Another firn that writes to the table of testing/orders_table.h, for tests.
#pragma once

#include <span>
#include <utility>

#include "iceberg/table_update.h"
#include "pipeline/progress.h"
#include "testing/memory_catalog.h"
#include "testing/orders_table.h"
#include "testing/results.h"

namespace firn::testing {

/// Its progress is committed right before the next commit of `catalog`.
inline void LetAnotherFirnWriteFirst(MemoryCatalog& catalog) {
  catalog.OnCommit([&catalog, is_first = true](const auto&) mutable {
    if (!std::exchange(is_first, false)) return;
    iceberg::CommitRequest theirs{.table = kOrders};
    pipeline::StateProgress(pipeline::ProgressSummary({.pipeline = "firn"}, Lsn{200}, "theirs"), theirs);
    Value(catalog.CommitTables(std::span(&theirs, 1)));
  });
}

}  // namespace firn::testing
