#include "verify/unstreamed_changes.h"

#include <map>

#include "base/try.h"
#include "pipeline/sink_until.h"

namespace firn::verify {
namespace {

using Clock = std::chrono::steady_clock;

/// Marks the tables that a transaction changes. Nothing is held of it.
class TouchSink final : public pipeline::SinkUntil {
 public:
  TouchSink(std::span<UnstreamedTable> tables, Lsn until, Clock::time_point deadline, const std::stop_token& stop)
      : SinkUntil(until), deadline_(deadline), stop_(stop) {
    for (UnstreamedTable& table : tables) tables_.emplace(table.oid, &table);
    EndWhenAllChanged();
  }

  Status Apply(const postgres::Message& message) override {
    // A transaction may be as large as it likes.
    TRY_VOID(MayGoOn());
    if (const auto* insert = std::get_if<postgres::InsertMessage>(&message.body)) {
      Touch(insert->oid);
    } else if (const auto* update = std::get_if<postgres::UpdateMessage>(&message.body)) {
      Touch(update->oid);
    } else if (const auto* deletion = std::get_if<postgres::DeleteMessage>(&message.body)) {
      Touch(deletion->oid);
    } else if (const auto* truncate = std::get_if<postgres::TruncateMessage>(&message.body)) {
      for (const TableOid oid : truncate->oids) Touch(oid);
    }
    return {};
  }

  Status MayGoOn() const {
    if (stop_.stop_requested()) return MakeError(ErrorKind::kCancelled, "stopped on request");
    if (Clock::now() < deadline_) return {};
    return MakeError(ErrorKind::kTransient, ErrorOrigin::kSource,
                     "PostgreSQL has not sent the changes up to {} in time", until());
  }

 private:
  void Touch(TableOid oid) {
    const auto found = tables_.find(oid);
    if (found == tables_.end() || commit_lsn() < found->second->since || commit_lsn() >= until()) return;
    found->second->has_changed = true;
    tables_.erase(found);
    EndWhenAllChanged();
  }

  void EndWhenAllChanged() {
    if (tables_.empty()) SetDone();
  }

  std::map<TableOid, UnstreamedTable*> tables_;  ///< Without those that are known to have changed.
  const Clock::time_point deadline_;
  const std::stop_token& stop_;
};

}  // namespace

Status FindUnstreamed(postgres::ReplicationStream& stream, std::span<UnstreamedTable> tables, Lsn until,
                      Clock::time_point deadline, const std::stop_token& stop) {
  TouchSink sink(tables, until, deadline, stop);
  return pipeline::ReadUntil(stream, sink, [&] { return sink.MayGoOn(); });
}

}  // namespace firn::verify
