// A pipeline from start to end: source checked, tables found or made, missing ones copied, then streamed; again from
// there after a failure that passes.
//
//   InspectSource ──► targets ──► publication, slot ──► CopyTables (those without progress) ──► Replicator::Run
//        ▲            (schemas follow)                                                              │
//        ├──────────────── a table of the source was altered ◄──────────────────────────────────────┤
//        └──────────────── transient error, conflict: wait by the retry policy ◄────────────────────┘
#pragma once

#include <stop_token>
#include <string>

#include "pipeline/replicator.h"
#include "pipeline/source_setup.h"
#include "pipeline/table_copy.h"
#include "pipeline/table_settings.h"
#include "pipeline/target_table.h"

namespace firn::pipeline {

struct PipelineOptions {
  SourceOptions source;
  TargetNaming naming;
  TableSettingsOf settings_of;
  TableWriterOptions writer;  ///< Its identity is filled in.
  FlushLimits flush;
  RetryPolicy retry;
  int copy_workers = 4;
  int64_t batch_rows = 1000;
  std::string state_dir;
  /// End once all that was committed in PostgreSQL before the start is committed in Iceberg.
  bool until_caught_up = false;
};

/// Runs until caught up (where asked), a stop request, or an error that trying again doesn't heal. Blocks; everything
/// but the stop token belongs to the calling thread.
Status RunPipeline(const PipelineOptions& options, ReplicatorServices services, std::stop_token stop);

}  // namespace firn::pipeline
