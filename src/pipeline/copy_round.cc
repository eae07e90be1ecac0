#include "pipeline/copy_round.h"

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "observe/log.h"
#include "pipeline/parked_tables.h"

namespace firn::pipeline {

CopyRound::CopyRound(CopyRoundOptions options, std::vector<CopiedTable> tables, catalog::Catalog& catalog,
                     WriterContext context)
    : options_(std::move(options)),
      tables_(std::move(tables)),
      catalog_(catalog),
      context_(context),
      progress_(tables_.size()),
      refused_(tables_.size()) {}

void CopyRound::Start() {
  thread_ = std::jthread([this](std::stop_token stop) {
    if (Status status = Run(std::move(stop)); !status) error_ = std::move(status).error();
    ended_ = true;
  });
}

bool CopyRound::Copies(TableOid table) const {
  return std::ranges::any_of(tables_, [&](const CopiedTable& copied) { return copied.source.oid == table; });
}

std::optional<Error> CopyRound::ErrorOf(size_t table) const {
  if (progress_[table].done) return std::nullopt;
  if (refused_[table]) return refused_[table];
  return progress_[table].error ? progress_[table].error : error_;
}

Status CopyRound::Run(std::stop_token stop) {
  LogInfo("making a snapshot: PostgreSQL waits for the transactions that are open now to end",
          {{"tables", tables_.size()}});
  TRY(const SourceSnapshot snapshot, OpenSnapshot(options_.source, options_.slot_exists, stop));
  hold_ = snapshot.slot.consistent_point.value;
  TRY(auto at_snapshot, postgres::OpenAtSnapshot(options_.source.connection, snapshot.slot.snapshot_name));
  std::vector<TargetTable> targets;
  std::vector<size_t> places;  // Of the targets, in tables_.
  for (size_t i = 0; i < tables_.size(); ++i) {
    auto target =
        Prepare(tables_[i], at_snapshot, snapshot.slot.consistent_point).Context("table {}", tables_[i].source.name);
    if (target) {
      targets.push_back(std::move(*target));
      places.push_back(i);
    } else if (IsTableError(target.error()) || target.error().kind() == ErrorKind::kConflict) {
      refused_[i] = std::move(target).error();
    } else {
      return std::move(target).error();
    }
  }
  CopyOptions copy = options_.copy;
  copy.snapshot_name = snapshot.slot.snapshot_name;
  copy.lsn = snapshot.slot.consistent_point;
  copy.taken_at_us = snapshot.taken_at_us;
  std::vector<CopyProgress*> progress;
  for (const size_t place : places) progress.push_back(&progress_[place]);
  return CopyTables(copy, catalog_, context_, targets, progress, std::move(stop));
}

Result<TargetTable> CopyRound::Prepare(const CopiedTable& table, postgres::Connection& at_snapshot,
                                       Lsn consistent_point) {
  TRY(const SourceTable source,
      ReadAtSnapshot(at_snapshot, options_.source, options_.generated, consistent_point, table.source));
  TRY(auto target, FindTargetTable(catalog_, source, options_.naming, table.settings, options_.copy.writer.writer));
  if (target) return std::move(*target);
  return CreateTargetTable(catalog_, source, options_.naming, table.settings);
}

}  // namespace firn::pipeline
