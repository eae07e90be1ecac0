#include "verify/later_changes.h"

#include <arrow/record_batch.h>

#include <algorithm>
#include <numeric>

#include "base/try.h"
#include "index/key_codec.h"
#include "verify/row_digests.h"
#include "verify/table_rows.h"

namespace firn::verify {
namespace {

constexpr size_t kBytesPerEntry = 200;  ///< Of a hash map's node and the vectors in it.

size_t BytesOf(std::string_view key, std::span<const uint64_t> columns, const std::vector<std::string>& text) {
  size_t bytes = kBytesPerEntry + 2 * key.size() + columns.size_bytes();
  for (const std::string& part : text) bytes += sizeof(part) + part.size();
  return bytes;
}

/// By row of the batch: the columns that the source did not send.
std::unordered_map<int64_t, std::vector<int>> UnsentColumns(const encode::EncodedRows& rows) {
  std::unordered_map<int64_t, std::vector<int>> unsent;
  for (const encode::UnchangedValue& value : rows.unchanged) unsent[value.row].push_back(value.column);
  return unsent;
}

Result<index::EncodedKeys> KeysOf(const encode::EncodedRows& rows, const std::vector<int>& columns) {
  if (!rows.batch) return index::EncodedKeys();
  return index::EncodeKeys(*rows.batch, columns);
}

Result<RowDigests> DigestsOf(const encode::EncodedRows& rows, size_t columns) {
  if (!rows.batch) return RowDigests();
  return RowDigests::Make(*rows.batch, columns);
}

std::vector<int> FirstColumns(size_t count) {
  std::vector<int> columns(count);
  std::iota(columns.begin(), columns.end(), 0);
  return columns;
}

}  // namespace

LaterChanges::LaterChanges(const pipeline::TargetTable& target) : target_(target), key_columns_(KeyColumnsOf(target)) {}

Status LaterChanges::Add(const pipeline::TableBatch& batch) {
  return target_.layout.identity == pipeline::RowIdentity::kKey ? AddByKey(batch) : AddByCount(batch);
}

Status LaterChanges::AddByKey(const pipeline::TableBatch& batch) {
  TRY(const auto keys, KeysOf(batch.rows, key_columns_));
  TRY(const auto old_keys, KeysOf(batch.old_keys, FirstColumns(key_columns_.size())));
  TRY(const auto digests, DigestsOf(batch.rows, target_.mapping.columns.size()));
  const auto unsent = UnsentColumns(batch.rows);
  for (const pipeline::Change& change : batch.changes) {
    if (change.kind == pipeline::ChangeKind::kDelete) {
      const std::string key(old_keys[static_cast<size_t>(change.old)]);
      by_key_[key] = KeyedRow{};
      bytes_ += kBytesPerEntry + key.size();
      continue;
    }
    const auto i = static_cast<size_t>(change.row);
    const std::string key(keys[i]);
    KeyedRow row{.alive = true, .text = TextsOf(*batch.rows.batch, key_columns_, change.row)};
    row.columns.assign(digests[i].begin(), digests[i].end());
    if (change.kind == pipeline::ChangeKind::kUpdate) {
      const std::string old_key = change.old < 0 ? key : std::string(old_keys[static_cast<size_t>(change.old)]);
      if (const auto missing = unsent.find(change.row); missing != unsent.end())
        FillUnsent(old_key, missing->second, row);
      if (old_key != key) by_key_[old_key] = KeyedRow{};
    }
    if (!row.unknown.empty()) carriers_[row.origin] = key;
    bytes_ += BytesOf(key, row.columns, row.text);
    by_key_[key] = std::move(row);
  }
  return {};
}

void LaterChanges::FillUnsent(const std::string& old_key, const std::vector<int>& unsent, KeyedRow& row) const {
  const auto before = by_key_.find(old_key);
  row.origin = before == by_key_.end() ? old_key : before->second.origin;
  for (const int column : unsent) {
    const bool is_known =
        before != by_key_.end() && std::ranges::find(before->second.unknown, column) == before->second.unknown.end();
    if (is_known && before->second.alive) {
      row.columns[static_cast<size_t>(column)] = before->second.columns[static_cast<size_t>(column)];
    } else {
      row.unknown.push_back(column);
    }
  }
}

Status LaterChanges::AddByCount(const pipeline::TableBatch& batch) {
  if (!batch.rows.unchanged.empty()) {
    return MakeError(ErrorKind::kInternal, "table {}: an UPDATE left out values that no old row has",
                     target_.source.name);
  }
  TRY(const auto rows, KeysOf(batch.rows, key_columns_));
  TRY(const auto old_rows, KeysOf(batch.old_keys, key_columns_));
  TRY(const auto digests, DigestsOf(batch.rows, key_columns_.size()));
  TRY(const auto old_digests, DigestsOf(batch.old_keys, key_columns_.size()));
  for (const pipeline::Change& change : batch.changes) {
    if (change.old >= 0) {
      const auto i = static_cast<size_t>(change.old);
      Count(old_rows[i], old_digests[i], TextsOf(*batch.old_keys.batch, key_columns_, change.old), -1);
    }
    if (change.row >= 0) {
      const auto i = static_cast<size_t>(change.row);
      Count(rows[i], digests[i], TextsOf(*batch.rows.batch, key_columns_, change.row), 1);
    }
  }
  return {};
}

void LaterChanges::Count(std::string_view key, std::span<const uint64_t> columns, const std::vector<std::string>& text,
                         int count) {
  const auto [position, is_new] = counted_.try_emplace(std::string(key));
  position->second.count += count;
  if (!is_new) return;
  position->second.columns.assign(columns.begin(), columns.end());
  position->second.text = text;
  bytes_ += BytesOf(key, columns, text);
}

bool LaterChanges::Keeps(std::string_view key, std::span<const uint64_t> columns) {
  if (by_key_.empty()) return true;
  const std::string name(key);
  if (const auto carrier = carriers_.find(name); carrier != carriers_.end()) {
    KeyedRow& row = by_key_.at(carrier->second);
    if (row.origin == name) {
      for (const int column : row.unknown)
        row.columns[static_cast<size_t>(column)] = columns[static_cast<size_t>(column)];
      row.unknown.clear();
    }
  }
  return !by_key_.contains(name);
}

Status LaterChanges::GiveRows(const RowSink& sink) const {
  for (const auto& [key, row] : by_key_) {
    if (!row.alive) continue;
    if (!row.unknown.empty()) {
      return MakeError(ErrorKind::kInternal, "table {}: an UPDATE of key {} left out values that the snapshot lacks",
                       target_.source.name, fmt::join(row.text, ", "));
    }
    sink({.key = key, .columns = row.columns, .key_text = [&row = row] { return row.text; }});
  }
  for (const auto& [key, row] : counted_) {
    if (row.count == 0) continue;
    sink({.key = key, .columns = row.columns, .count = row.count, .key_text = [&row = row] { return row.text; }});
  }
  return {};
}

}  // namespace firn::verify
