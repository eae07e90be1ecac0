#include "verify/change_reader.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "base/try.h"
#include "pipeline/relation_matcher.h"
#include "pipeline/schema_change.h"
#include "pipeline/sink_until.h"
#include "pipeline/table_lane.h"

namespace firn::verify {
namespace {

using Clock = std::chrono::steady_clock;

/// Changes are taken out of a lane when it holds as much.
constexpr size_t kLaneBytesMax = 4 << 20;
/// What all tables' changes may hold, as digests.
constexpr size_t kChangesBytesMax = 256 << 20;

/// Takes the stream's transactions apart, by table.
class ChangeSink final : public pipeline::SinkUntil {
 public:
  using SinkUntil::SinkUntil;

  Status Make(std::span<ChangedTable> tables) {
    for (ChangedTable& table : tables) {
      Lane lane{.table = &table};
      TRY(const auto stored, pipeline::ReadStoredDefinition(*table.target.table.metadata));
      lane.known = pipeline::KnownAttributes(stored, table.target.source);
      TRY(lane.lane, pipeline::TableLane::Make(table.target.mapping, table.target.layout.identity,
                                               pipeline::ChangeMode::kMirror, Lsn{}));
      lanes_.emplace(table.target.source.oid, std::move(lane));
    }
    return {};
  }

  Status Apply(const postgres::Message& message) override {
    if (const auto* relation = std::get_if<postgres::RelationMessage>(&message.body)) {
      if (const auto found = lanes_.find(relation->oid); found != lanes_.end()) Bind(found->second, *relation);
    } else if (const auto* insert = std::get_if<postgres::InsertMessage>(&message.body)) {
      return Change(insert->oid, [&](Lane& lane) { return lane.lane->Insert(*lane.binding, insert->new_row); });
    } else if (const auto* update = std::get_if<postgres::UpdateMessage>(&message.body)) {
      return Change(update->oid, [&](Lane& lane) { return lane.lane->Update(*lane.binding, *update); });
    } else if (const auto* deletion = std::get_if<postgres::DeleteMessage>(&message.body)) {
      return Change(deletion->oid, [&](Lane& lane) { return lane.lane->Delete(*lane.binding, *deletion); });
    } else if (const auto* truncate = std::get_if<postgres::TruncateMessage>(&message.body)) {
      for (const TableOid oid : truncate->oids) {
        if (const auto found = lanes_.find(oid); found != lanes_.end() && commit_lsn() < found->second.table->until) {
          found->second.table->unclear = "it was truncated meanwhile";
        }
      }
    }
    return {};
  }

  /// What the lanes still hold.
  Status Finish() {
    for (auto& [oid, lane] : lanes_) TRY_VOID(Take(lane));
    return {};
  }

 private:
  struct Lane {
    ChangedTable* table = nullptr;
    std::unique_ptr<pipeline::TableLane> lane;
    std::vector<pipeline::KnownAttribute> known;
    std::optional<pipeline::RelationBinding> binding;
  };

  static void Bind(Lane& lane, const postgres::RelationMessage& relation) {
    const auto match = pipeline::MatchRelation(relation.columns, lane.known, /*may_be_older=*/false);
    lane.binding.reset();
    if (match.fit != pipeline::RelationFit::kNow) return;
    lane.binding = pipeline::BindColumns(lane.lane->mapping(), lane.table->target.source.columns, match.attnums);
  }

  template <typename Apply>
  Status Change(TableOid oid, Apply apply) {
    const auto found = lanes_.find(oid);
    if (found == lanes_.end()) return {};
    Lane& lane = found->second;
    ChangedTable& table = *lane.table;
    if (commit_lsn() >= table.until || !table.unclear.empty()) return {};
    if (!lane.binding) {
      table.unclear = "it was altered meanwhile";
      return {};
    }
    lane.lane->ContinueTransaction(commit_lsn(), 0);
    TRY_VOID(apply(lane).Context("table {}", table.target.source.name));
    return lane.lane->bytes() < kLaneBytesMax ? Status() : Take(lane);
  }

  Status Take(Lane& lane) {
    if (lane.lane->empty()) return {};
    TRY(const pipeline::TableBatch batch, lane.lane->Seal().Context("table {}", lane.lane->name()));
    LaterChanges& changes = lane.table->changes;
    const size_t before = changes.bytes();
    TRY_VOID(changes.Add(batch));
    bytes_ += changes.bytes() - before;
    if (bytes_ <= kChangesBytesMax) return {};
    return MakeError(ErrorKind::kTransient, ErrorOrigin::kSource,
                     "more rows changed between the snapshot and firn's next commit than are held in memory; verify "
                     "fewer tables at once (--table), or lower writer.commit_interval_ms");
  }

  std::map<TableOid, Lane> lanes_;
  size_t bytes_ = 0;
};

}  // namespace

Status ReadChanges(postgres::ReplicationStream& stream, std::span<ChangedTable> tables, Clock::time_point deadline,
                   const std::stop_token& stop) {
  Lsn until;
  for (const ChangedTable& table : tables) until = std::max(until, table.until);
  ChangeSink sink(until);
  TRY_VOID(sink.Make(tables));
  TRY_VOID(pipeline::ReadUntil(stream, sink, [&]() -> Status {
    if (stop.stop_requested()) return MakeError(ErrorKind::kCancelled, "stopped on request");
    if (Clock::now() >= deadline) {
      return MakeError(ErrorKind::kTransient, ErrorOrigin::kSource,
                       "PostgreSQL has not sent the changes up to {} in time", sink.until());
    }
    return {};
  }));
  return sink.Finish();
}

}  // namespace firn::verify
