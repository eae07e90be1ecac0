#include "pipeline/changed_keys.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>

#include "base/try.h"
#include "base/uuid.h"
#include "encode/row_encoder.h"
#include "index/key_codec.h"
#include "pipeline/relation_matcher.h"
#include "pipeline/sink_until.h"
#include "pipeline/take_rows.h"
#include "postgres/replication_slot.h"

namespace firn::pipeline {
namespace {

/// Keys are encoded when there are this many.
constexpr size_t kKeysPerBatch = 1'024;
constexpr size_t kBytesPerKey = 170;  ///< Of a hash map's node, and of strings that are not short.

/// Takes the stream's transactions apart, by table. Values come as text.
class KeySink final : public SinkUntil {
 public:
  KeySink(std::span<ChangedTable> tables, Lsn until, size_t bytes_max, const SpillKeys& spill)
      : SinkUntil(until), tables_(tables), bytes_max_(bytes_max), spill_(spill) {
    for (ChangedTable& table : tables) lanes_.emplace(table.target.source.oid, Lane{.table = &table});
  }

  Status Apply(const postgres::Message& message) override {
    if (const auto* relation = std::get_if<postgres::RelationMessage>(&message.body)) {
      if (const auto found = lanes_.find(relation->oid); found != lanes_.end()) Bind(found->second, *relation);
    } else if (const auto* insert = std::get_if<postgres::InsertMessage>(&message.body)) {
      return Change(insert->oid, [&](Lane& lane) { return Take(lane, insert->new_row, {}); });
    } else if (const auto* update = std::get_if<postgres::UpdateMessage>(&message.body)) {
      return Change(update->oid, [&](Lane& lane) -> Status {
        if (update->old_row) TRY_VOID(Take(lane, *update->old_row, {}));
        return Take(lane, update->new_row, update->old_row.value_or(postgres::Tuple{}));
      });
    } else if (const auto* deletion = std::get_if<postgres::DeleteMessage>(&message.body)) {
      return Change(deletion->oid, [&](Lane& lane) { return Take(lane, deletion->old_row, {}); });
    } else if (const auto* truncate = std::get_if<postgres::TruncateMessage>(&message.body)) {
      for (const TableOid oid : truncate->oids) {
        TRY_VOID(Change(oid, [](Lane& lane) -> Status {
          lane.table->unclear = "it was truncated";
          return {};
        }));
      }
    }
    return {};
  }

  /// The keys that are not encoded yet.
  Status Finish() {
    for (auto& [oid, lane] : lanes_) TRY_VOID(Encode(lane));
    return {};
  }

 private:
  struct Lane {
    ChangedTable* table = nullptr;
    std::vector<size_t> places;  ///< By key column: in the messages' tuples.
    std::unique_ptr<encode::RowEncoder> encoder;
    std::vector<std::string> sql;  ///< Of the encoder's rows.
  };

  static void Bind(Lane& lane, const postgres::RelationMessage& relation) {
    const SourceTable& source = lane.table->target.source;
    lane.places.clear();
    for (const int column : lane.table->target.layout.key_columns) {
      const std::string& name = source.columns[static_cast<size_t>(column)].name;
      const auto found = std::ranges::find_if(relation.columns, [&](const auto& sent) { return sent.name == name; });
      if (found == relation.columns.end()) {
        lane.table->unclear = "it was altered";
        return;
      }
      lane.places.push_back(static_cast<size_t>(found - relation.columns.begin()));
    }
    std::vector<int16_t> attnums;
    for (const postgres::RelationColumn& sent : relation.columns) {
      const auto column = std::ranges::find(source.columns, sent.name, &SourceColumn::name);
      attnums.push_back(column == source.columns.end() ? int16_t{0} : column->attnum);
    }
    if (OldRowsOf(relation, attnums, source, /*may_be_older=*/false) != OldRows::kFollowed) {
      lane.table->unclear = "its replica identity was another one";
    }
  }

  template <typename Apply>
  Status Change(TableOid oid, Apply apply) {
    const auto found = lanes_.find(oid);
    if (found == lanes_.end()) return {};
    Lane& lane = found->second;
    const ChangedTable& table = *lane.table;
    if (commit_lsn() < table.since || commit_lsn() >= until() || !table.unclear.empty()) return {};
    return apply(lane).Context("table {}", table.target.source.name);
  }

  /// The key of `row`; what was not sent again is in `before`.
  Status Take(Lane& lane, postgres::Tuple row, postgres::Tuple before) {
    const TargetTable& target = lane.table->target;
    if (!lane.encoder) {
      TRY(lane.encoder, encode::RowEncoder::Make(target.mapping, target.layout.key_columns));
    }
    std::vector<WireValue> key;
    std::string sql;
    for (size_t i = 0; i < lane.places.size(); ++i) {
      const size_t place = lane.places[i];
      WireValue value = place < row.size() ? row[place] : WireValue{};
      if (value.format == WireFormat::kUnchangedToast) value = place < before.size() ? before[place] : WireValue{};
      if (value.format != WireFormat::kText) {
        lane.table->unclear = "a change did not tell its key";
        return {};
      }
      const SourceColumn& column = target.source.columns[static_cast<size_t>(target.layout.key_columns[i])];
      sql += fmt::format("{}{}::{}", i == 0 ? "(" : ",", postgres::QuoteLiteral(std::string(value.bytes())),
                         column.type_name);
      key.push_back(value);
    }
    TRY_VOID(lane.encoder->AppendRow(key));
    lane.sql.push_back(sql + ")");
    return lane.sql.size() < kKeysPerBatch ? Status() : Encode(lane);
  }

  Status Encode(Lane& lane) {
    if (lane.sql.empty()) return {};
    ChangedTable& table = *lane.table;
    TRY(const encode::EncodedRows rows, lane.encoder->Finish());
    std::vector<int> columns(table.target.layout.key_columns.size());
    std::iota(columns.begin(), columns.end(), 0);
    TRY(const index::EncodedKeys keys, index::EncodeKeys(*rows.batch, columns));
    const size_t before = table.keys.bytes();
    for (size_t i = 0; i < keys.size(); ++i) table.keys.Add(keys[i], std::move(lane.sql[i]));
    lane.sql.clear();
    bytes_ += table.keys.bytes() - before;
    // Two keys of the source may be one here.
    if (!rows.replaced.empty()) table.unclear = "a key holds a value that was replaced";
    return bytes_ > bytes_max_ ? SpillLargest() : Status();
  }

  Status SpillLargest() {
    ChangedTable& table =
        *std::ranges::max_element(tables_, {}, [](const ChangedTable& each) { return each.keys.bytes(); });
    const size_t bytes = table.keys.bytes();
    TRY_VOID(spill_(table));
    bytes_ -= bytes;
    table.bytes_spilled += bytes;
    ++table.parts;
    table.keys = {};
    return {};
  }

  std::map<TableOid, Lane> lanes_;
  const std::span<ChangedTable> tables_;
  const size_t bytes_max_;
  const SpillKeys& spill_;
  size_t bytes_ = 0;
};

}  // namespace

void ChangedKeys::Add(std::string_view key, std::string sql) {
  const auto [position, is_new] = keys_.emplace(key, false);
  if (!is_new) return;
  encoded_.push_back(position->first);
  bytes_ += kBytesPerKey + key.size() + sql.size();
  sql_.push_back(std::move(sql));
}

bool ChangedKeys::Take(std::string_view key) {
  const auto found = keys_.find(key);
  return found != keys_.end() && !std::exchange(found->second, true);
}

Result<std::shared_ptr<arrow::RecordBatch>> TakeChangedRows(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                            const std::vector<int>& key_columns, ChangedKeys& keys) {
  TRY(const index::EncodedKeys encoded, index::EncodeKeys(*rows, key_columns));
  std::vector<int32_t> taken;
  for (size_t i = 0; i < encoded.size(); ++i) {
    if (keys.Take(encoded[i])) taken.push_back(static_cast<int32_t>(i));
  }
  return TakeRows(rows, taken);
}

Result<std::unique_ptr<postgres::ReplicationStream>> OpenChangesSince(const SourceOptions& source, Lsn since) {
  postgres::ConnectionOptions replication = source.connection;
  replication.replication = true;
  TRY(postgres::Connection connection, postgres::Connection::Open(replication));
  const std::string name = fmt::format("firn_changes_{}", NewUuid().substr(0, 8));
  TRY_VOID(postgres::CopySlot(connection, source.slot, name));
  TRY(const auto slot, postgres::ReadSlot(connection, name));
  if (!slot || slot->confirmed_flush_lsn > since) {
    return MakeError(ErrorKind::kSourceLost, ErrorOrigin::kSource, "slot '{}' no longer has the changes since {}",
                     source.slot, since);
  }
  return postgres::ReplicationStream::OpenOn(
      std::move(connection),
      {.slot = name, .publications = {source.publication}, .start = since, .streaming = false, .binary = false});
}

Status ReadChangedKeys(postgres::ReplicationStream& stream, std::span<ChangedTable> tables, Lsn until, size_t bytes_max,
                       const SpillKeys& spill, const std::stop_token& stop) {
  KeySink sink(tables, until, bytes_max, spill);
  TRY_VOID(ReadUntil(stream, sink, [&]() -> Status {
    if (stop.stop_requested()) return MakeError(ErrorKind::kCancelled, "stopped on request");
    return {};
  }));
  return sink.Finish();
}

}  // namespace firn::pipeline
