#include "iceberg/deleted_rows.h"

#include <arrow/record_batch.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/try.h"
#include "iceberg/data_file_reader.h"
#include "iceberg/position_deletes.h"
#include "iceberg/row_keys.h"

namespace firn::iceberg {
namespace {

constexpr size_t kKeyOverhead = 96;  // A hash table's node, roughly.

/// `field` with nothing but the fields of `ids` below it; they may lie in structs. Nothing where it has none.
std::optional<Field> Pruned(const Field& field, const std::set<FieldId>& ids, std::set<FieldId>& found) {
  Field pruned = field;
  pruned.required = false;
  if (ids.contains(field.id)) {
    found.insert(field.id);
    return pruned;
  }
  if (field.type.id != TypeId::kStruct) return std::nullopt;
  pruned.type.fields.clear();
  for (const Field& child : field.type.fields) {
    if (auto kept = Pruned(child, ids, found)) pruned.type.fields.push_back(*std::move(kept));
  }
  if (pruned.type.fields.empty()) return std::nullopt;
  return pruned;
}

/// The fields of an equality delete file, of the table's schema. One that was dropped since is still to be applied
/// (spec: "Equality Delete Files"): an older schema has it.
Result<Schema> EqualitySchema(const TableMetadata& metadata, const std::vector<int32_t>& equality_ids) {
  if (equality_ids.empty()) return MakeError(ErrorKind::kCorrupt, "an equality delete file without equality_ids");
  std::vector<const Schema*> schemas = {&metadata.CurrentSchema()};
  for (auto older = metadata.schemas.rbegin(); older != metadata.schemas.rend(); ++older) schemas.push_back(&*older);
  Schema projection;
  std::set<FieldId> ids(equality_ids.begin(), equality_ids.end());
  for (const Schema* schema : schemas) {
    std::set<FieldId> found;
    for (const Field& field : schema->fields) {
      if (auto kept = Pruned(field, ids, found)) projection.fields.push_back(*std::move(kept));
    }
    for (const FieldId id : found) ids.erase(id);
    if (ids.empty()) return projection;
  }
  return MakeError(
      ErrorKind::kUnsupported,
      "rows are deleted where field {} has some values, but the table's metadata does not know that field; "
      "rewrite the data files with the table's engine",
      *ids.begin());
}

/// The equality deletes of one partition, or of all, by the same fields. A row whose key is here is deleted when its
/// data file's sequence number is lower.
struct EqualityGroup {
  Schema schema;
  std::unordered_map<std::string, int64_t> latest;  ///< The highest sequence number that deletes a key.
  std::set<std::string> files;                      ///< Those that were read.
  size_t bytes = 0;

  void Clear() {
    latest.clear();
    files.clear();
    bytes = 0;
  }
};

}  // namespace

struct DeletedRows::State {
  storage::FileStore& store;
  const size_t memory_max;
  size_t bytes = 0;
  std::map<std::string, PositionsByFile> position_files;
  std::map<std::string, EqualityGroup> groups;

  void Forget() {
    position_files.clear();
    groups.clear();
    bytes = 0;
  }

  Status AddPositions(const DataFile& delete_file, const std::string& data_file_path, RowPositions& deleted) {
    if (ReferencedDataFile(delete_file)) {
      TRY(const RowPositions positions, ReadPositionDeletes(store, delete_file, data_file_path));
      deleted |= positions;
      return {};
    }
    auto known = position_files.find(delete_file.file_path);
    if (known == position_files.end()) {
      TRY(PositionsByFile positions, ReadPositionDeletesByFile(store, delete_file));
      size_t size = 0;
      for (const auto& [path, rows] : positions) size += path.size() + rows.getSizeInBytes() + kKeyOverhead;
      if (bytes + size > memory_max) Forget();
      bytes += size;
      known = position_files.emplace(delete_file.file_path, std::move(positions)).first;
    }
    const auto rows = known->second.find(data_file_path);
    if (rows != known->second.end()) deleted |= rows->second;
    return {};
  }

  /// Finds the rows of a data file that a group's keys delete.
  Status Match(const TableMetadata& metadata, const ManifestEntry& data, const EqualityGroup& group,
               RowPositions& deleted) {
    if (group.latest.empty()) return {};
    TRY(auto reader, OpenDataFile(store, metadata, data.file, group.schema));
    std::string key;
    uint64_t position = 0;
    while (true) {
      TRY(const auto rows, reader->Next());
      if (!rows) return {};
      TRY(const RowKeys keys, RowKeys::Make(*rows));
      for (int64_t i = 0; i < rows->num_rows(); ++i, ++position) {
        keys.KeyOf(i, key);
        const auto found = group.latest.find(key);
        if (found != group.latest.end() && found->second > data.sequence_number) deleted.add(position);
      }
    }
  }

  /// Adds a delete file's keys to a group. Where they are too many, those so far are matched and dropped; gives whether
  /// all of them are still there.
  Result<bool> Load(const TableMetadata& metadata, const ManifestEntry& data, const ManifestEntry& deletes,
                    EqualityGroup& group, RowPositions& deleted) {
    bool whole = true;
    TRY(auto reader, OpenDataFile(store, metadata, deletes.file, group.schema));
    std::string key;
    while (true) {
      TRY(const auto rows, reader->Next());
      if (!rows) return whole;
      TRY(const RowKeys keys, RowKeys::Make(*rows));
      for (int64_t i = 0; i < rows->num_rows(); ++i) {
        keys.KeyOf(i, key);
        const auto [known, is_new] = group.latest.try_emplace(key, deletes.sequence_number);
        known->second = std::max(known->second, deletes.sequence_number);
        if (is_new) group.bytes += key.size() + kKeyOverhead;
      }
      if (group.bytes <= memory_max) continue;
      TRY_VOID(Match(metadata, data, group, deleted));
      group.Clear();
      whole = false;
    }
  }

  Status ApplyGroup(const TableMetadata& metadata, const ManifestEntry& data, const std::string& name,
                    const std::vector<const ManifestEntry*>& files, RowPositions& deleted) {
    EqualityGroup& group = groups[name];
    if (group.schema.fields.empty()) {
      TRY(group.schema, EqualitySchema(metadata, files.front()->file.equality_ids));
    }
    const size_t before = group.bytes;
    bool whole = true;
    for (const ManifestEntry* file : files) {
      if (group.files.contains(file->file.file_path)) continue;
      TRY(const bool still_whole, Load(metadata, data, *file, group, deleted));
      whole = whole && still_whole;
      group.files.insert(file->file.file_path);
    }
    TRY_VOID(Match(metadata, data, group, deleted));
    if (!whole) group.Clear();
    bytes = bytes - before + group.bytes;
    return {};
  }
};

DeletedRows::DeletedRows(storage::FileStore& store, size_t memory_max)
    : state_(std::make_unique<State>(State{.store = store, .memory_max = memory_max})) {}
DeletedRows::~DeletedRows() = default;
DeletedRows::DeletedRows(DeletedRows&&) noexcept = default;
DeletedRows& DeletedRows::operator=(DeletedRows&&) noexcept = default;

void DeletedRows::Forget() { state_->Forget(); }

Result<RowPositions> DeletedRows::Of(const TableMetadata& metadata, const LiveDataFile& file) {
  const DataFile& data_file = file.entry.file;
  RowPositions deleted;
  for (const SharedEntry& deletes : file.position_deletes) {
    TRY_VOID(state_->AddPositions(deletes->file, data_file.file_path, deleted));
  }
  // Deletes of the same scope and fields are one group: only their sequence numbers tell which apply to a data file.
  std::map<std::string, std::vector<const ManifestEntry*>> groups;
  for (const SharedEntry& deletes : file.equality_deletes) {
    const DataFile& delete_file = deletes->file;
    std::vector<int32_t> ids = delete_file.equality_ids;
    std::ranges::sort(ids);
    std::string name = fmt::format("{};", metadata.current_schema_id) +
                       PartitionKey(delete_file.partition_spec_id, delete_file.partition);
    for (const int32_t id : ids) name += fmt::format(";{}", id);
    groups[name].push_back(deletes.get());
  }
  for (const auto& [name, files] : groups) {
    if (state_->bytes > state_->memory_max / 2) state_->Forget();
    TRY_VOID(state_->ApplyGroup(metadata, file.entry, name, files, deleted)
                 .Context("applying equality deletes to {}", data_file.file_path));
  }
  // Positions behind the last row, if another writer's file has any, are of no row.
  if (!deleted.isEmpty() && deleted.maximum() >= static_cast<uint64_t>(data_file.record_count)) {
    RowPositions rows;
    for (const uint64_t position : deleted) {
      if (position >= static_cast<uint64_t>(data_file.record_count)) break;
      rows.add(position);
    }
    return rows;
  }
  return deleted;
}

}  // namespace firn::iceberg
