#include "pipeline/outside_copy.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <utility>

#include "base/interruptible_sleep.h"
#include "base/try.h"
#include "base/uuid.h"
#include "catalog/commit_loop.h"
#include "iceberg/table_files.h"
#include "observe/log.h"
#include "pipeline/table_copy.h"
#include "postgres/session_settings.h"

namespace firn::pipeline {
namespace {

using encode::Codec;
using iceberg::TypeId;

constexpr std::chrono::milliseconds kTransactionsPoll{200};
constexpr int kVersionWithDefaults = 3;
/// Of PostgreSQL: older ones are not copied from outside.
constexpr int kVersionWithTidRangeScan = 140000;

/// What PostgreSQL's type says itself: a setting may store it as another decimal, which firn checks value by value.
std::optional<std::pair<int32_t, int32_t>> DeclaredDecimal(const SourceColumn& column) {
  constexpr int32_t kHeader = 4;
  if (column.type_modifier < kHeader) return std::nullopt;
  const int32_t digits = column.type_modifier - kHeader;
  return std::pair((digits >> 16) & 0xFFFF, ((digits & 0x7FF) ^ 1024) - 1024);
}

/// Nothing where the values would not surely be those of firn's own copy.
std::optional<OutsideColumn> OutsideColumnOf(const SourceColumn& source, const encode::ColumnMapping& mapping) {
  const iceberg::Type& type = mapping.field.type;
  const std::string column = postgres::QuoteIdentifier(mapping.source_name);
  // A value that the type can't hold is an error in PostgreSQL or Java; another policy is firn's alone.
  if (mapping.policy != encode::ValuePolicy::kError) return std::nullopt;
  const auto made = [&](std::string sql, std::string spark_type, OutsideForm form = OutsideForm::kAsRead) {
    return OutsideColumn{
        .name = mapping.field.name, .sql = std::move(sql), .type = std::move(spark_type), .form = form};
  };
  const auto cast = [&](std::string_view to, std::string spark_type) {
    return made(fmt::format("{}::{}", column, to), std::move(spark_type));
  };
  switch (mapping.codec) {
    case Codec::kText:
    case Codec::kJson:
    case Codec::kJsonb:
    case Codec::kNumericString:
    case Codec::kTextForm:
      if (type.id == TypeId::kString) return made(TextExpression(mapping), "string");
      return std::nullopt;
    case Codec::kBool:
      if (type.id == TypeId::kBoolean) return cast("bool", "boolean");
      return std::nullopt;
    case Codec::kInt2:
    case Codec::kInt4:
      if (type.id == TypeId::kInt) return cast("int4", "int");
      if (type.id == TypeId::kLong) return cast("int8", "bigint");
      return std::nullopt;
    case Codec::kInt8:
    case Codec::kOid:
      if (type.id == TypeId::kLong) return cast("int8", "bigint");
      return std::nullopt;
    case Codec::kFloat4:
      if (type.id == TypeId::kFloat) return cast("float4", "float");
      if (type.id == TypeId::kDouble) return cast("float8", "double");
      return std::nullopt;
    case Codec::kFloat8:
      if (type.id == TypeId::kDouble) return cast("float8", "double");
      return std::nullopt;
    case Codec::kNumericDecimal:
      if (type.id == TypeId::kDecimal && DeclaredDecimal(source) == std::pair(type.precision, type.scale)) {
        return cast(fmt::format("numeric({},{})", type.precision, type.scale),
                    fmt::format("decimal({},{})", type.precision, type.scale));
      }
      return std::nullopt;
    case Codec::kBytea:
      if (type.id == TypeId::kBinary) return cast("bytea", "binary");
      return std::nullopt;
    case Codec::kUuid:
      if (type.id == TypeId::kUuid) return cast("text", "string");
      return std::nullopt;
    // What is infinite, or of more than 64 bits, is an error of these.
    case Codec::kDate:
      if (type.id == TypeId::kDate) {
        return made(fmt::format("({}::date - '1970-01-01'::date)", column), "int", OutsideForm::kDays);
      }
      return std::nullopt;
    case Codec::kTimestamp:
    case Codec::kTimestampTz: {
      const bool has_zone = mapping.codec == Codec::kTimestampTz;
      if (type.id != (has_zone ? TypeId::kTimestampTz : TypeId::kTimestamp)) return std::nullopt;
      // Not by the epoch of the whole, which older servers round in years far away.
      const std::string utc = has_zone ? fmt::format("({} AT TIME ZONE 'UTC')", column) : column;
      return made(fmt::format("(({0}::date - '1970-01-01'::date)::int8 * 86400000000 + "
                              "(extract(epoch FROM {0}::time) * 1000000)::int8)",
                              utc),
                  "bigint", has_zone ? OutsideForm::kMicrosUtc : OutsideForm::kMicros);
    }
    case Codec::kChar:
    case Codec::kTime:
    case Codec::kArray:
    case Codec::kTextArray:
      return std::nullopt;
  }
  return std::nullopt;
}

/// Spark clusters rows by what it takes these for, which is not what Iceberg divides them by.
bool IsPartitionedOtherwise(const iceberg::TableMetadata& table) {
  return std::ranges::any_of(table.DefaultSpec().fields, [&](const iceberg::PartitionField& field) {
    const iceberg::Field* source = table.CurrentSchema().FindNestedField(field.source_id);
    const TypeId type = source == nullptr ? TypeId::kUnknown : source->type.id;
    return type == TypeId::kUnknown || type == TypeId::kUuid || type == TypeId::kFloat || type == TypeId::kDouble;
  });
}

std::vector<std::string> CopyBranches(const iceberg::TableMetadata& table) {
  std::vector<std::string> branches;
  for (const auto& [name, ref] : table.refs) {
    if (ref.is_branch && name.starts_with(kCopyBranchPrefix)) branches.push_back(name);
  }
  return branches;
}

/// Those that only the branches have.
std::vector<iceberg::SnapshotId> SnapshotsOf(const iceberg::TableMetadata& table,
                                             const std::vector<std::string>& branches) {
  const auto chain = [&](iceberg::SnapshotId head, std::set<iceberg::SnapshotId>& into) {
    const iceberg::Snapshot* one = table.FindSnapshot(head);
    while (one != nullptr && into.insert(one->snapshot_id).second) {
      one = one->parent_snapshot_id ? table.FindSnapshot(*one->parent_snapshot_id) : nullptr;
    }
  };
  std::set<iceberg::SnapshotId> theirs, others;
  for (const auto& [name, ref] : table.refs) {
    chain(ref.snapshot_id, std::ranges::find(branches, name) == branches.end() ? others : theirs);
  }
  std::vector<iceberg::SnapshotId> alone;
  std::ranges::set_difference(theirs, others, std::back_inserter(alone));
  return alone;
}

/// Manifest lists, manifests and data files that the snapshots have added.
Result<std::vector<std::string>> FilesAddedBy(storage::FileStore& store, const iceberg::TableMetadata& table,
                                              const std::vector<iceberg::SnapshotId>& snapshots) {
  std::vector<std::string> files;
  iceberg::ManifestCache cache;
  for (const iceberg::SnapshotId id : snapshots) {
    const iceberg::Snapshot* snapshot = table.FindSnapshot(id);
    TRY(const auto manifests, iceberg::ReadManifestList(store, *snapshot));
    files.push_back(snapshot->manifest_list);
    for (const iceberg::ManifestFile& manifest : manifests) {
      if (manifest.added_snapshot_id != id) continue;
      TRY(const auto entries, cache.Read(store, table, manifest));
      files.push_back(manifest.manifest_path);
      for (const iceberg::ManifestEntry& entry : *entries) {
        if (entry.status == iceberg::EntryStatus::kAdded) files.push_back(entry.file.file_path);
      }
    }
  }
  return files;
}

}  // namespace

std::string OutsideSessionSettings() {
  // Where there are several hosts, a standby may answer. The call of version() keeps the planner from making a number.
  constexpr std::string_view kOnPrimary =
      "; SELECT CASE WHEN pg_is_in_recovery() THEN ('a standby, which may lack rows: name the primary in source.url' "
      "|| left(version(), 0))::int END";
  return postgres::SessionSettings(kVersionWithTidRangeScan) + std::string(kOnPrimary);
}

std::string WhyNotOutside(const TargetTable& target, int64_t range_bytes) {
  const SourceTable& source = target.source;
  if (target.layout.identity != RowIdentity::kKey) return "it has no key, by which rows that change are found";
  if (target.layout.mode != ChangeMode::kMirror) return "its change mode is not mirror";
  if (target.layout.HasAddedColumns()) return "it has columns that firn makes";
  if (target.table.metadata->CurrentSnapshot() != nullptr) return "its Iceberg table has rows already";
  if (target.change) return "its Iceberg table has to be altered with the copy";
  const auto& heaps = source.version.heaps;
  if (heaps.size() != 1 || heaps.front().oid != source.oid) return "it is partitioned in PostgreSQL";
  for (size_t i = 0; i < target.mapping.columns.size(); ++i) {
    const encode::ColumnMapping& mapping = target.mapping.columns[i];
    const auto column = std::ranges::find(source.columns, mapping.attnum, &SourceColumn::attnum);
    if (column == source.columns.end() || !OutsideColumnOf(*column, mapping)) {
      return fmt::format("its column {} is one whose values only firn reads so", mapping.source_name);
    }
    if (column->missing_value && target.planned->format_version >= kVersionWithDefaults) {
      return fmt::format("its column {} was added with a default", mapping.source_name);
    }
  }
  if (IsPartitionedOtherwise(*target.planned)) return "it is partitioned by a uuid or a floating-point number";
  if (source.pages * postgres::kHeapBlockBytes <= range_bytes) return "it is not larger than source.copy_range_bytes";
  return "";
}

OutsideTable PlanOutside(const TargetTable& target, int64_t range_bytes) {
  OutsideTable table{.ident = target.table.ident,
                     .branch = fmt::format("{}{}", kCopyBranchPrefix, NewUuid().substr(0, 8)),
                     .from = fmt::format("ONLY {}.{}", postgres::QuoteIdentifier(target.source.name.schema),
                                         postgres::QuoteIdentifier(target.source.name.name))};
  for (const encode::ColumnMapping& mapping : target.mapping.columns) {
    const auto column = std::ranges::find(target.source.columns, mapping.attnum, &SourceColumn::attnum);
    table.columns.push_back(*OutsideColumnOf(*column, mapping));
  }
  for (const auto& request :
       PlanCopy(target, {.blocks_max = std::max<int64_t>(1, range_bytes / postgres::kHeapBlockBytes)})) {
    table.ranges.push_back(request.blocks.value_or(postgres::BlockRange{}));
  }
  return table;
}

bool HasCopyBranch(const iceberg::TableMetadata& table) { return !CopyBranches(table).empty(); }

Result<CopiedRanges> ReadOutside(storage::FileStore& store, const iceberg::TableMetadata& table,
                                 const std::string& branch, Lsn since) {
  const auto ref = table.refs.find(branch);
  if (ref == table.refs.end()) {
    return MakeError(ErrorKind::kConflict, ErrorOrigin::kCatalog, "branch {} is gone", branch);
  }
  iceberg::ManifestCache cache;
  TRY(auto files, iceberg::PlanFiles(store, table, table.FindSnapshot(ref->second.snapshot_id), cache));
  CopiedRanges copied{.since = since, .ranges = {{.first = 0}}};
  for (iceberg::LiveDataFile& live : files) {
    iceberg::DataFile& file = live.entry.file;
    if (file.file_format != "PARQUET" || file.partition_spec_id != table.default_spec_id ||
        !live.position_deletes.empty() || !live.equality_deletes.empty()) {
      return MakeError(ErrorKind::kCorrupt, ErrorOrigin::kStorage,
                       "branch {}: {} is not what a copy writes: Parquet, by the table's partition spec, no deletes",
                       branch, file.file_path);
    }
    file.first_row_id.reset();  // main's commit gives it.
    copied.rows += file.record_count;
    copied.files.push_back(std::move(file));
  }
  return copied;
}

Status DropCopyBranches(catalog::Catalog& catalog, storage::FileStore& store, const iceberg::TableIdent& ident,
                        const std::set<std::string>& kept, const RetryPolicy& retry, const std::stop_token& stop) {
  TRY(catalog::LoadedTable table, catalog.LoadTable(ident));
  std::vector<std::string> files;
  const auto build = [&](const catalog::LoadedTable& fresh) -> Result<std::optional<iceberg::CommitRequest>> {
    const std::vector<std::string> branches = CopyBranches(*fresh.metadata);
    if (branches.empty()) return std::nullopt;
    const std::vector<iceberg::SnapshotId> snapshots = SnapshotsOf(*fresh.metadata, branches);
    auto added = FilesAddedBy(store, *fresh.metadata, snapshots);
    // At worst orphans, which `firn maintain orphans` finds.
    files = added ? *std::move(added) : std::vector<std::string>();
    iceberg::CommitRequest request{.table = fresh.ident,
                                   .requirements = {iceberg::AssertTableUuid{fresh.metadata->table_uuid}}};
    for (const std::string& branch : branches) {
      request.requirements.emplace_back(
          iceberg::AssertRefSnapshotId{.ref = branch, .snapshot_id = fresh.metadata->refs.at(branch).snapshot_id});
      request.updates.emplace_back(iceberg::RemoveSnapshotRef{branch});
    }
    if (!snapshots.empty()) request.updates.emplace_back(iceberg::RemoveSnapshots{snapshots});
    return request;
  };
  TRY(table, catalog::CommitMetadata(catalog, std::move(table), build, retry, stop)
                 .Context("dropping the branch of a copy from {}", ToString(ident)));
  // Where the table has rows, others' files are told from them by their age.
  const bool has_rows = table.metadata->CurrentSnapshot() != nullptr;
  for (const std::string& file : files) {
    if (!has_rows && !kept.contains(file)) (void)store.Delete(file);
  }
  return {};
}

Status WaitForOpenTransactions(const postgres::ConnectionOptions& options, const std::stop_token& stop) {
  TRY(auto connection, postgres::Connection::Open(options));
  TRY(const auto now, connection.Query("SELECT pg_snapshot_xmax(pg_current_snapshot())"));
  const std::string all_ended = fmt::format("SELECT pg_snapshot_xmin(pg_current_snapshot()) >= {}::xid8",
                                            postgres::QuoteLiteral(std::string(now.Get(0, 0))));
  bool is_said = false;
  while (true) {
    TRY(const auto ended, connection.Query(all_ended));
    if (ended.Get(0, 0) == "t") return {};
    if (!std::exchange(is_said, true)) LogInfo("waiting for the transactions that are open now to end");
    if (!SleepFor(kTransactionsPoll, stop)) return MakeError(ErrorKind::kCancelled, "stopped on request");
  }
}

}  // namespace firn::pipeline
