// Tables that can't go on as they are: told from failures of the whole, kept apart while the others stream, and tried
// again.
//
//   a table's error ──► mark in its Iceberg table ──► parked ──(delay, or its definition changes)──► copied anew
//                                                        ▲                                             │
//                                                        └───────────────── fails again ◄──────────────┘
//
// A table that is not streamed misses changes. The mark (a table property) says so for as long as that is not made
// good: it is committed before anything behind the table's progress is acknowledged, and the commit that brings the
// copied rows takes it away.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/retry_policy.h"
#include "catalog/catalog.h"
#include "model/source_table.h"
#include "pipeline/progress.h"

namespace firn::pipeline {

inline constexpr char kParkedProperty[] = "firn.parked";  ///< Why.

/// Whether an error that came up while one table was worked on is that table's own, so that the others can go on.
bool IsTableError(const Error& error);

/// Why the table is not to be written before it has been copied anew; nothing where it may.
std::optional<std::string> ReadMark(const iceberg::TableMetadata& metadata);

/// Commits the mark. A table that is not there, has not been copied, or is another pipeline's needs none.
Status MarkTable(catalog::Catalog& catalog, const iceberg::TableIdent& ident, const PipelineIdentity& writer,
                 const std::string& reason, const RetryPolicy& retry, std::stop_token stop);

/// When tables that failed are tried again. Pure; `now` is the caller's clock.
class ParkedTables {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  struct Entry {
    std::string reason;
    bool is_parked = false;   ///< Else it is tried again soon: what failed may pass by itself.
    std::string fingerprint;  ///< TableVersion::fingerprint when it failed: another one is worth a try at once.
    int tries = 0;
    TimePoint began;  ///< The last try.
    TimePoint due;
  };

  /// The pauses grow from fifty times `retry.base_delay` to an hour.
  explicit ParkedTables(const RetryPolicy& retry) : retry_(retry) {}

  /// The table has failed. What may pass by itself parks it once the policy's retries are used up. A try that took long
  /// is not repeated before as much time has passed.
  void Failed(const SourceTable& table, const Error& error, TimePoint now);
  /// A try begins: its entry stays, so that the pauses go on growing where it fails again.
  void Begin(TableOid table, TimePoint now);
  /// It streams. After some time the next failure counts as the first one again.
  void Streams(TableOid table, TimePoint now);
  /// Forgets tables that are gone.
  void Keep(const std::vector<SourceTable>& tables);
  /// To be tried at once.
  void Forget(TableOid table) { entries_.erase(table); }

  /// The entry of a table that is not to be tried yet.
  const Entry* Waiting(const SourceTable& table, TimePoint now) const;
  /// When the next one is due; nothing where none waits.
  std::optional<TimePoint> NextDue() const;
  /// Whether there is one that waits without being parked.
  bool HasPassing() const;
  /// Whether the table is such a one.
  bool IsPassing(TableOid table) const;

 private:
  enum class Stage : uint8_t { kWaiting, kTrying, kStreaming };
  struct Kept {
    Entry entry;
    Stage stage = Stage::kWaiting;
    TimePoint streams_since;
  };

  RetryPolicy retry_;
  std::map<TableOid, Kept> entries_;
};

}  // namespace firn::pipeline
