// A pipeline from start to end: source checked, tables found, then streamed; those that have to be copied are copied
// beside the stream. Again from there when other tables can be streamed, and after a failure that passes.
//
//   InspectSource ──► targets ──► publication ──► each table: streamed, queued for a copy, or waiting (parked)
//        ▲            (schemas follow)                   │
//        │                                               ├──► CopyRound, on its own threads
//        │                                               └──► Replicator::Run
//        ├────── a round of copies is over, a parked table is due, one failed, a resync was asked for ◄──┤
//        ├────── a table of the source was altered, made or dropped ◄────────────────────────────────────┤
//        └────── transient error, conflict: wait by the retry policy ◄───────────────────────────────────┘
//
// The first start has no slot to stream from: its copy runs alone, under the snapshot that comes with the slot.
#pragma once

#include <stop_token>
#include <string>

#include "pipeline/replicator.h"
#include "pipeline/source_setup.h"
#include "pipeline/table_settings.h"
#include "pipeline/target_table.h"

namespace firn::pipeline {

class OutsideCopier;

struct PipelineOptions {
  SourceOptions source;
  TargetNaming naming;
  TableSettingsOf settings_of;
  TableWriterOptions writer;  ///< Its identity is filled in.
  FlushLimits flush;
  RetryPolicy retry;
  int copy_workers = 4;
  int64_t copy_range_bytes = 256 << 20;  ///< CopyOptions::range_bytes
  int64_t copy_wal_limit_bytes = 0;      ///< CopyRoundOptions::wal_limit_bytes
  int64_t batch_rows = 1000;
  std::string state_dir;
  /// While it is set, the stream stands still; copies that are under way go on.
  const PauseSwitch* pause = nullptr;
  /// End once all that was committed in PostgreSQL before the start is committed in Iceberg.
  bool until_caught_up = false;
  /// Copies large tables at first; nothing: firn copies all. It outlives the run.
  OutsideCopier* outside = nullptr;
  /// Rewrites files of the streamed tables beside the stream; nothing: nobody does. It outlives the run.
  TableRewriter* rewriter = nullptr;
};

/// Runs until caught up (where asked), a stop request, or an error that trying again doesn't heal. Blocks; everything
/// but the stop token belongs to the calling thread.
Status RunPipeline(const PipelineOptions& options, ReplicatorServices services, std::stop_token stop);

}  // namespace firn::pipeline
