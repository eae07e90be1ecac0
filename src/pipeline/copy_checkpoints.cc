#include "pipeline/copy_checkpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <utility>

#include "base/failpoint.h"
#include "base/try.h"
#include "iceberg/manifest_avro.h"
#include "iceberg/schema_json.h"
#include "observe/log.h"
#include "pipeline/key_log.h"
#include "storage/local_file_store.h"

namespace firn::pipeline {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using postgres::BlockRange;

constexpr char kCommitting[] = "committing";
/// Only within the manifest here: the commit gives the files others.
constexpr int64_t kSequenceNumber = 1;
constexpr iceberg::SnapshotId kSnapshotId = 1;

/// One file of a table's folder.
struct Part {
  json head;
  std::string manifest;
};

std::optional<Part> ReadPart(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  Part part{.head = json::parse(line, nullptr, /*allow_exceptions=*/false)};
  if (part.head.is_discarded() || !part.head.is_object()) return std::nullopt;
  part.manifest.assign(std::istreambuf_iterator<char>(file), {});
  return part;
}

std::vector<fs::path> PartsIn(const std::string& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename();
    // The others are keys, the marker, and what a write that broke off has left.
    if (std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; })) paths.push_back(entry->path());
  }
  std::ranges::sort(paths);
  return paths;
}

std::string PartOf(const std::string& keys_file, int number) { return fmt::format("{}.{}", keys_file, number); }

json ToJson(const std::vector<BlockRange>& ranges) {
  json list = json::array();
  for (const BlockRange& range : ranges) {
    list.push_back({range.first, range.last ? json(*range.last) : json()});
  }
  return list;
}

Result<CopiedRanges> Decode(const Part& part, const iceberg::TableMetadata& metadata) {
  CopiedRanges copied;
  try {
    TRY(copied.since, Lsn::Parse(part.head.at("since").get<std::string>()));
    copied.rows = part.head.at("rows").get<int64_t>();
    for (const json& range : part.head.at("ranges")) {
      BlockRange& read = copied.ranges.emplace_back(BlockRange{.first = range.at(0).get<int64_t>()});
      if (!range.at(1).is_null()) read.last = range.at(1).get<int64_t>();
    }
  } catch (const json::exception& error) {
    return MakeError(ErrorKind::kCorrupt, "{}", error.what());
  }
  const iceberg::PartitionSpec& spec = metadata.DefaultSpec();
  const iceberg::ManifestFile manifest{
      .partition_spec_id = spec.spec_id, .sequence_number = kSequenceNumber, .added_snapshot_id = kSnapshotId};
  TRY(auto entries, iceberg::ReadManifest(part.manifest, manifest, iceberg::PartitionType(metadata, spec)));
  for (iceberg::ManifestEntry& entry : entries) copied.files.push_back(std::move(entry.file));
  return copied;
}

}  // namespace

std::vector<BlockRange> MergeRanges(std::vector<BlockRange> ranges) {
  std::ranges::sort(ranges, {}, &BlockRange::first);
  std::vector<BlockRange> merged;
  for (const BlockRange& range : ranges) {
    if (merged.empty() || (merged.back().last && *merged.back().last < range.first)) {
      merged.push_back(range);
    } else if (merged.back().last) {
      merged.back().last = range.last ? std::optional(std::max(*merged.back().last, *range.last)) : std::nullopt;
    }
  }
  return merged;
}

std::vector<BlockRange> RangesLeft(const std::vector<BlockRange>& read) {
  std::vector<BlockRange> left;
  int64_t next = 0;
  for (const BlockRange& range : MergeRanges(read)) {
    if (range.first > next) left.push_back({.first = next, .last = range.first});
    if (!range.last) return left;
    next = *range.last;
  }
  left.push_back({.first = next});
  return left;
}

json CopyPlan(const TargetTable& target, const PipelineIdentity& writer, int timeline) {
  const iceberg::TableMetadata& table = *target.table.metadata;
  json heaps = json::array();
  for (const TableHeap& heap : target.source.version.heaps) heaps.push_back({heap.oid.value, heap.file});
  json key = json::array();
  for (const int column : target.layout.key_columns) key.push_back(column);
  return {{"pipeline", writer.pipeline},
          {"system_identifier", writer.system_identifier},
          {"timeline", timeline},
          {"source", ToString(target.source.name)},
          {"definition", target.source.version.fingerprint},
          {"publication", target.source.version.membership},
          {"heaps", std::move(heaps)},
          {"table_uuid", table.table_uuid},
          {"snapshot_id", table.current_snapshot_id.value_or(-1)},
          {"format_version", target.planned->format_version},
          {"mode", static_cast<int>(target.layout.mode)},
          {"key", std::move(key)},
          {"schema", json(iceberg::SchemaToJson(target.layout.schema))},
          {"spec", json(iceberg::PartitionSpecToJson(target.planned->DefaultSpec()))}};
}

CopyCheckpoints::CopyCheckpoints(std::string folder) : folder_(std::move(folder)) {}

std::string CopyCheckpoints::FolderOf(TableOid table) const { return fmt::format("{}/{}", folder_, table.value); }

Status CopyCheckpoints::Add(TableOid table, const json& plan, const iceberg::TableMetadata& metadata,
                            const CopiedRanges& part) const {
  iceberg::ManifestWriter writer(metadata, metadata.DefaultSpec(), /*holds_deletes=*/false, kSnapshotId,
                                 kSequenceNumber);
  json files = json::array();
  for (const iceberg::DataFile& file : part.files) {
    TRY_VOID(writer.Add({.snapshot_id = kSnapshotId,
                         .sequence_number = kSequenceNumber,
                         .file_sequence_number = kSequenceNumber,
                         .file = file}));
    files.push_back(file.file_path);
  }
  TRY(const iceberg::WrittenManifest manifest, std::move(writer).Finish());
  const json head = {{"since", ToString(part.since)},
                     {"rows", part.rows},
                     {"ranges", ToJson(part.ranges)},
                     {"files", std::move(files)},
                     {"plan", plan}};
  const std::string path = fmt::format("{}/{}", FolderOf(table), part.ranges.front().first);
  TRY_VOID(BeforeStep(Failpoint::kCopyCheckpointBefore));
  TRY_VOID(storage::MakeLocalFileStore()
               ->Write(path, head.dump() + '\n' + manifest.content)
               .Context("remembering what is copied"));
  AfterStep(Failpoint::kCopyCheckpointAfter);
  return {};
}

std::optional<CopiedRanges> CopyCheckpoints::Read(TableOid table, const json& plan,
                                                  const iceberg::TableMetadata& metadata) const {
  std::optional<CopiedRanges> all;
  for (const fs::path& path : PartsIn(FolderOf(table))) {
    const auto part = ReadPart(path);
    if (!part || part->head.value("plan", json()) != plan) return std::nullopt;
    auto decoded = Decode(*part, metadata);
    if (!decoded) {
      LogWarn("what is remembered of a copy can't be read: the table is copied from its beginning",
              {{"file", path.string()}, {"reason", decoded.error().message()}});
      return std::nullopt;
    }
    if (!all) all.emplace(CopiedRanges{.since = decoded->since});
    all->since = std::min(all->since, decoded->since);
    all->rows += decoded->rows;
    std::ranges::move(decoded->ranges, std::back_inserter(all->ranges));
    std::ranges::move(decoded->files, std::back_inserter(all->files));
  }
  if (all) all->ranges = MergeRanges(std::move(all->ranges));
  return all;
}

bool CopyCheckpoints::Has(TableOid table) const { return !PartsIn(FolderOf(table)).empty(); }

std::string CopyCheckpoints::KeysFile(TableOid table, Lsn from) const {
  return fmt::format("{}/keys-{:016X}", FolderOf(table), from.value);
}

Status CopyCheckpoints::AddKeyPart(TableOid table, Lsn from, int number, const ChangedKeys& keys) const {
  return storage::MakeLocalFileStore()
      ->Write(PartOf(KeysFile(table, from), number), EncodeKeyLog({.from = from, .parts = number}, keys))
      .Context("remembering what has changed since a part was copied");
}

Status CopyCheckpoints::AddKeys(TableOid table, Lsn from, Lsn until, int parts, const ChangedKeys& keys) const {
  TRY_VOID(BeforeStep(Failpoint::kCopyKeysBefore));
  TRY_VOID(storage::MakeLocalFileStore()
               ->Write(KeysFile(table, from), EncodeKeyLog({.from = from, .until = until, .parts = parts}, keys))
               .Context("remembering what has changed since a part was copied"));
  AfterStep(Failpoint::kCopyKeysAfter);
  return {};
}

void CopyCheckpoints::FindKeys(TableOid table, KeptKeys& kept) const {
  while (true) {
    const std::string path = KeysFile(table, kept.until);
    std::error_code error;
    if (!fs::exists(path, error)) return;
    KeptKeys more;
    const auto add = [&](const std::string& file) -> Result<KeyLogHead> {
      TRY(const std::string log, storage::MakeLocalFileStore()->Read(file, -1));
      TRY(const KeyLog decoded, DecodeKeyLog(log));
      more.files.push_back(file);
      more.keys += decoded.head.keys;
      more.bytes += decoded.head.bytes;
      return decoded.head;
    };
    const auto add_all = [&]() -> Status {
      TRY(const KeyLogHead head, add(path));
      for (int i = 0; i < head.parts; ++i) TRY_VOID(add(PartOf(path, i)));
      if (head.from != kept.until || head.until <= kept.until) {
        return MakeError(ErrorKind::kCorrupt, "it is of [{}, {})", head.from, head.until);
      }
      more.until = head.until;
      return {};
    };
    if (const Status added = add_all(); !added) {
      LogWarn("what is remembered of a copy's changes can't be read: PostgreSQL is asked for them again",
              {{"file", path}, {"reason", added.error().message()}});
      return;
    }
    kept.until = more.until;
    std::ranges::move(more.files, std::back_inserter(kept.files));
    kept.keys += more.keys;
    kept.bytes += more.bytes;
  }
}

Result<ChangedKeys> ReadKeys(const KeptKeys& kept, size_t number, size_t shares) {
  ChangedKeys keys;
  for (const std::string& file : kept.files) {
    TRY(const std::string log, storage::MakeLocalFileStore()->Read(file, -1));
    TRY(const KeyLog decoded, DecodeKeyLog(log).Context("{}", file));
    for (const auto& [key, sql] : decoded.keys) {
      if (std::hash<std::string_view>()(key) % shares == number) keys.Add(key, std::string(sql));
    }
  }
  return keys;
}

Status CopyCheckpoints::MarkCommitting(TableOid table) const {
  return storage::MakeLocalFileStore()
      ->Write(fmt::format("{}/{}", FolderOf(table), kCommitting), "")
      .Context("remembering that a copy is committed");
}

Status CopyCheckpoints::Forget(TableOid table) const {
  // The marker last: without it the files might be deleted.
  for (const fs::path& path : PartsIn(FolderOf(table))) {
    std::error_code error;
    fs::remove(path, error);
    if (error) return MakeError(ErrorKind::kWriteFailed, "removing {}: {}", path.string(), error.message());
  }
  std::error_code error;
  fs::remove_all(FolderOf(table), error);
  if (error) return MakeError(ErrorKind::kWriteFailed, "removing {}: {}", FolderOf(table), error.message());
  return {};
}

Status CopyCheckpoints::Discard(TableOid table, storage::FileStore& store,
                                const iceberg::TableMetadata& metadata) const {
  const std::string folder = FolderOf(table);
  std::error_code error;
  const bool may_be_committed = fs::exists(folder + "/" + kCommitting, error) || error;
  for (const fs::path& path : PartsIn(folder)) {
    const auto part = ReadPart(path);
    if (may_be_committed || !part) continue;
    const json plan = part->head.value("plan", json::object());
    if (plan.value("table_uuid", json()) != metadata.table_uuid ||
        plan.value("snapshot_id", json()) != metadata.current_snapshot_id.value_or(-1)) {
      continue;
    }
    for (const json& file : part->head.value("files", json::array())) {
      // At worst an orphan, which `firn maintain orphans` finds.
      if (file.is_string()) (void)store.Delete(file.get<std::string>());
    }
  }
  return Forget(table);
}

std::set<std::string> CopyCheckpoints::FilesOfAll() const {
  std::set<std::string> files;
  std::error_code error;
  for (fs::directory_iterator table(folder_, error), end; !error && table != end; table.increment(error)) {
    for (const fs::path& path : PartsIn(table->path())) {
      const auto part = ReadPart(path);
      if (!part) continue;
      for (const json& file : part->head.value("files", json::array())) {
        if (file.is_string()) files.insert(file.get<std::string>());
      }
    }
  }
  return files;
}

}  // namespace firn::pipeline
