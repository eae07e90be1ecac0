// A slot whose changes no longer fit the tables, made good where the configuration allows it (source.on_lost_slot):
// every table is marked as to be copied anew, then the slot goes. The next look finds a source from which nothing has
// been copied.
#pragma once

#include <span>
#include <stop_token>
#include <string>

#include "base/retry_policy.h"
#include "catalog/catalog.h"
#include "pipeline/progress.h"
#include "pipeline/source_setup.h"
#include "pipeline/target_table.h"

namespace firn::pipeline {

/// Whether `error` is a loss of changes that StartOver makes good.
bool StartsOver(const SourceOptions& options, const Error& error);

/// What can be done twice is done in an order that a crash in between leaves to the next start: marks, slot, and what
/// state_dir says of it. `loss` where the slot is in use: then another firn follows it.
Status StartOver(const SourceOptions& options, catalog::Catalog& catalog, std::span<const SourceTable> tables,
                 const TargetNaming& naming, const PipelineIdentity& writer, const RetryPolicy& retry,
                 const std::string& state_dir, const Error& loss, std::stop_token stop);

}  // namespace firn::pipeline
