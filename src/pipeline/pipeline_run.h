// One run of a pipeline: the source as it is now, its tables sorted into those that stream, are copied, or wait; then
// the stream, until something changes what it can take.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "pipeline/copy_queue.h"
#include "pipeline/pipeline.h"

namespace firn::pipeline {

/// What one run leaves to the next.
struct Carried {
  Carried(const RetryPolicy& retry, Metrics& metrics) : copies(retry, metrics) {}

  bool has_run = false;                        ///< Else what is wrong is for the operator.
  std::map<TableOid, std::string> copy_again;  ///< Why, whether or not that shows in their definition.
  Lsn requests_heard;                          ///< As of ReplicatorOptions.
  std::map<TableOid, TableName> tables;        ///< That there were.
  std::map<TableOid, TableName> stopped;       ///< Of those, the ones that are no longer replicated.
  std::vector<std::string> parked;             ///< "table x: reason" of each, as of the last run.
  std::set<std::string> warnings;              ///< Of the source, that the log has.
  std::set<TableOid> barred;                   ///< Parked for what the source, or the names of the tables, are like.
  CopyQueue copies;
};

/// How a run ended without an error.
enum class RunEnd : uint8_t {
  kDone,           ///< `until` is reached, or a stop was requested.
  kAgain,          ///< Other tables can be streamed now.
  kSourceChanged,  ///< A table is another one in the source.
};

class PipelineRun {
 public:
  PipelineRun(const PipelineOptions& options, ReplicatorServices services, std::optional<Lsn> until, Carried& carried);

  Result<RunEnd> Run(std::stop_token stop);
  /// Whether changes were streamed, and so may be buffered.
  bool has_streamed() const { return has_streamed_; }

 private:
  /// A table of the source, and what is known of its counterpart.
  struct Table {
    SourceTable source;
    TableSettings settings;
    std::optional<TargetTable> target;
    std::string why_copied;  ///< One that may have been copied before.
    bool is_streamed = false;
    bool is_queued = false;  ///< For the next round of copies.
  };

  PipelineIdentity identity() const { return writer_options_.writer; }
  /// Source, publication and targets, none of which is changed any more but by following the source.
  Status FindTables(std::stop_token stop);
  Status Look(std::stop_token stop);
  Status LookAtSource();
  Status CheckSlot();
  Status CheckTimeline() const;
  Status CheckSomeTableCanGo() const;
  /// Tables that were barred, and are no longer.
  void TryMendedAtOnce();
  Status FindTarget(Table& table, std::stop_token stop);
  /// Tables that have been copied and that the publication lacks.
  void NoteUnpublished();
  void NoteStopped();
  Status FollowSource(Table& table, std::stop_token stop);
  /// Of tables that are gone or were made again, and of keys that tables no longer have.
  Status DropUnusedIndexes();
  /// Decides what becomes of the table in this run.
  Status Sort(Table& table, std::stop_token stop);
  /// OK where the others can go on without the table, which then waits; else the error.
  Status Park(Table& table, Error error);
  void ShowTables();
  void StartCopies();
  /// The first copy: there is no slot yet, and so nothing to stream.
  Result<RunEnd> CopyInForeground(std::stop_token stop);
  Result<RunEnd> Stream(std::stop_token stop);
  Result<RunEnd> TakeEnd(StreamEnd end, const std::stop_token& stop);
  Result<std::unique_ptr<postgres::ReplicationStream>> OpenStream(bool binary, std::stop_token stop);

  const PipelineOptions& options_;
  ReplicatorServices services_;
  std::optional<Lsn> until_;
  Carried& carried_;
  bool has_streamed_ = false;
  PipelineStatus status_;
  SourceState source_;
  std::map<TableOid, Error> name_problems_;  ///< Of tables whose Iceberg table is another's.
  Lsn slot_known_;                           ///< The slot is no further when the stream begins.
  TableWriterOptions writer_options_;
  std::vector<Table> tables_;
  std::optional<Error> first_failure_;  ///< Of a table in this run.
};

}  // namespace firn::pipeline
