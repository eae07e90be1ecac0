#include "firn/destination.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/try.h"
#include "catalog/sql/sql_catalog.h"
#include "destination/cell_encoder.h"
#include "index/table_index.h"
#include "observe/metrics.h"
#include "pipeline/batch_committer.h"
#include "pipeline/partition_by.h"
#include "pipeline/target_table.h"
#include "storage/file_store.h"

namespace firn {
namespace {

using pipeline::Change;
using pipeline::ChangeKind;

struct DefinedTable {
  pipeline::TableLayout layout;  ///< Computed columns are source columns here: rows get them before they are encoded.
  std::vector<ComputedColumn> computed;
  std::vector<iceberg::Field> key_fields;
  std::unique_ptr<pipeline::TableWriter> writer;
};

iceberg::TableIdent IdentOf(const TableId& id) {
  return pipeline::TargetNaming{.name_space = id.name_space}.IdentOf({.schema = "", .name = id.name});
}

/// The events of one table since the last flush, gathered before their values become columns.
struct TableEvents {
  bool truncate_first = false;
  std::vector<const Row*> rows;
  std::vector<const Row*> keys;
  std::vector<Change> changes;

  void Add(const Event& event) {
    Change change;
    if (event.kind != EventKind::kDelete) {
      change.row = static_cast<int32_t>(rows.size());
      rows.push_back(&event.row);
    }
    if (event.kind == EventKind::kDelete || (event.kind == EventKind::kUpdate && !event.key.empty())) {
      change.old = static_cast<int32_t>(keys.size());
      keys.push_back(&event.key);
    }
    change.kind = event.kind == EventKind::kInsert   ? ChangeKind::kInsert
                  : event.kind == EventKind::kUpdate ? ChangeKind::kUpdate
                                                     : ChangeKind::kDelete;
    changes.push_back(change);
  }
};

class IcebergDestination : public Destination {
 public:
  static Result<std::unique_ptr<IcebergDestination>> Open(const DestinationOptions& options) {
    std::unique_ptr<IcebergDestination> destination(new IcebergDestination(options));
    TRY(const std::string warehouse, storage::NormalizeLocation(options.warehouse));
    std::string state = options.state_directory;
    if (state.empty()) {
      if (!warehouse.starts_with("file://")) {
        return MakeError(ErrorKind::kInvalidConfig, "state_directory is needed: the warehouse {} is not local",
                         warehouse);
      }
      state = warehouse.substr(7) + "/.firn";
    }
    TRY(destination->store_, storage::OpenFileStore(warehouse, {}));
    TRY(destination->catalog_,
        catalog::OpenSqlCatalog({.uri = options.catalog_uri, .name = options.catalog_name, .warehouse = warehouse},
                                *destination->store_));
    TRY(destination->index_, index::Database::Open(state + "/index"));
    destination->writer_options_ = {.files = {.target_file_size_bytes = options.target_file_size_bytes},
                                    .writer = {.pipeline = options.pipeline}};
    TRY(destination->writer_options_.files.parquet.compression, iceberg::ParseCompression(options.compression));
    RetryPolicy retry;
    retry.max_retries = options.max_retries;
    destination->committer_.emplace(*destination->catalog_, retry, destination->metrics_);
    return destination;
  }

  Status DefineTable(const TableDefinition& definition) override {
    const iceberg::TableIdent ident = IdentOf(definition.id);
    TRY(iceberg::Schema schema, destination::SchemaOf(definition).Context("table {}", ToString(ident)));
    TRY(catalog::LoadedTable table,
        LoadOrCreate(ident, schema, definition.partition_by).Context("table {}", ToString(ident)));
    DefinedTable defined{.layout = {.schema = schema}, .computed = definition.computed};
    if (!definition.key.empty()) {
      defined.layout.identity = pipeline::RowIdentity::kKey;
      for (const std::string& key : definition.key) {
        const auto field = std::ranges::find(schema.fields, key, &iceberg::Field::name);
        defined.layout.key_columns.push_back(static_cast<int>(field - schema.fields.begin()));
        defined.key_fields.push_back(*field);
      }
    }
    defined.writer = std::make_unique<pipeline::TableWriter>(
        pipeline::WriterContext{.store = *store_, .index = *index_, .metrics = metrics_}, writer_options_,
        std::move(table), defined.layout, ToString(ident));
    tables_.insert_or_assign(definition.id, std::move(defined));
    return {};
  }

  Status TruncateTable(const TableId& table) override {
    TRY(const auto position, Position(table));
    return Write({{table, TableEvents{.truncate_first = true}}}, position.value_or(0));
  }

  Status WriteTableRows(const TableId& table, std::span<const Row> rows) override {
    TRY(const auto position, Position(table));
    TableEvents events;
    for (const Row& row : rows) {
      events.changes.push_back({.kind = ChangeKind::kInsert, .row = static_cast<int32_t>(events.rows.size())});
      events.rows.push_back(&row);
    }
    return Write({{table, std::move(events)}}, position.value_or(0));
  }

  Status WriteEvents(std::span<const Event> events, uint64_t position) override {
    std::map<TableId, TableEvents> by_table;
    for (const Event& event : events) {
      TableEvents& table = by_table[event.table];
      if (event.kind == EventKind::kTruncate) {
        table = {.truncate_first = true};
      } else {
        table.Add(event);
      }
    }
    return Write(by_table, position);
  }

  Result<std::optional<uint64_t>> Position(const TableId& table) override {
    TRY(const DefinedTable* defined, Find(table));
    TRY(const auto progress, pipeline::ReadProgress(*defined->writer->table().metadata));
    return progress ? std::optional(progress->lsn.value) : std::nullopt;
  }

 private:
  explicit IcebergDestination(const DestinationOptions& options) : options_(options) {}

  Result<DefinedTable*> Find(const TableId& table) {
    auto position = tables_.find(table);
    if (position != tables_.end()) return &position->second;
    return MakeError(ErrorKind::kTableNotFound, "table {}.{} has not been defined: call DefineTable first",
                     table.name_space, table.name);
  }

  Result<catalog::LoadedTable> LoadOrCreate(const iceberg::TableIdent& ident, const iceberg::Schema& schema,
                                            const std::vector<std::string>& partition_by) {
    std::vector<pipeline::PartitionTerm> terms;
    for (const std::string& text : partition_by) {
      TRY(terms.emplace_back(), pipeline::ParsePartitionTerm(text));
    }
    auto loaded = catalog_->LoadTable(ident);
    if (!loaded) {
      if (loaded.error().kind() != ErrorKind::kTableNotFound && loaded.error().kind() != ErrorKind::kNotFound)
        return loaded;
      TRY(iceberg::PartitionSpec spec, pipeline::MakePartitionSpec(terms, schema));
      TRY_VOID(catalog_->EnsureNamespace(ident.namespace_levels));
      return catalog_->CreateTable(ident, {.schema = schema, .spec = std::move(spec)});
    }
    const iceberg::Schema& existing = loaded->metadata->CurrentSchema();
    if (existing.fields != schema.fields || existing.identifier_field_ids != schema.identifier_field_ids) {
      return MakeError(ErrorKind::kSchemaMismatch, "the table exists with other columns or another key");
    }
    TRY(const auto progress, pipeline::ReadProgress(*loaded->metadata));
    if (progress && progress->writer.pipeline != options_.pipeline) {
      return MakeError(ErrorKind::kAlreadyExists, "pipeline '{}' writes the table, and this one is '{}'",
                       progress->writer.pipeline, options_.pipeline);
    }
    const iceberg::TableMetadata& metadata = *loaded->metadata;
    TRY(auto spec, pipeline::EvolvePartitionSpec(terms, schema, metadata));
    if (!spec) return loaded;
    const iceberg::CommitRequest request{
        .table = ident,
        .requirements = {iceberg::AssertTableUuid{metadata.table_uuid},
                         iceberg::AssertDefaultSpecId{metadata.default_spec_id},
                         iceberg::AssertLastAssignedPartitionId{metadata.last_partition_id}},
        .updates = {iceberg::AddPartitionSpec{std::move(*spec)}, iceberg::SetDefaultSpec{-1}}};
    TRY(auto tables, catalog_->CommitTables(std::span(&request, 1)));
    return std::move(tables.front());
  }

  static Result<encode::EncodedRows> EncodeRows(const DefinedTable& table, std::span<const Row* const> rows) {
    const auto fields = table.layout.source_fields();
    if (table.computed.empty()) return destination::EncodeCells(fields, rows);
    const size_t given = fields.size() - table.computed.size();
    std::vector<Row> whole;
    std::vector<const Row*> pointers;
    whole.reserve(rows.size());
    for (const Row* row : rows) {
      if (row->size() != given) {
        return MakeError(ErrorKind::kSchemaMismatch, "row {} has {} values, not {}", whole.size(), row->size(), given);
      }
      Row& filled = whole.emplace_back(*row);
      for (const ComputedColumn& computed : table.computed) filled.push_back(computed.compute(*row));
      pointers.push_back(&filled);
    }
    return destination::EncodeCells(fields, pointers);
  }

  Status Write(const std::map<TableId, TableEvents>& by_table, uint64_t position) {
    pipeline::FlushJob job{.commit_lsn = Lsn{position}};
    for (const auto& [id, events] : by_table) {
      TRY(DefinedTable* const table, Find(id));
      pipeline::FlushJob::Part part{.writer = table->writer.get()};
      part.batch.truncate_first = events.truncate_first;
      part.batch.changes = events.changes;
      if (!events.keys.empty() && table->key_fields.empty()) {
        return MakeError(ErrorKind::kSchemaMismatch, "table {} has no key: rows can only be appended",
                         table->writer->name());
      }
      TRY(part.batch.rows, EncodeRows(*table, events.rows).Context("table {}", table->writer->name()));
      TRY(part.batch.old_keys,
          destination::EncodeCells(table->key_fields, events.keys).Context("keys of table {}", table->writer->name()));
      job.parts.push_back(std::move(part));
    }
    TRY([[maybe_unused]] const auto outcome, committer_->Do(job, {}));
    return {};
  }

  DestinationOptions options_;
  Metrics metrics_;
  std::unique_ptr<storage::FileStore> store_;
  std::unique_ptr<catalog::Catalog> catalog_;
  std::unique_ptr<index::Database> index_;
  pipeline::TableWriterOptions writer_options_;
  std::optional<pipeline::BatchCommitter> committer_;
  std::map<TableId, DefinedTable> tables_;
};

}  // namespace

Result<std::unique_ptr<Destination>> Destination::Open(const DestinationOptions& options) {
  TRY(std::unique_ptr<Destination> destination, IcebergDestination::Open(options));
  return destination;
}

}  // namespace firn
