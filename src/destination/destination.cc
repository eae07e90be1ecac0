#include "firn/destination.h"

#include <arrow/api.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/try.h"
#include "base/unix_time.h"
#include "catalog/commit_loop.h"
#include "catalog/find_table.h"
#include "config/config.h"
#include "config/expand.h"
#include "destination/arrow_rows.h"
#include "destination/cell_encoder.h"
#include "destination/defined_schema.h"
#include "destination/pending_rows.h"
#include "destination/stored_definition.h"
#include "index/table_index.h"
#include "lake/lake.h"
#include "observe/metrics.h"
#include "observe/redact.h"
#include "observe/retrier.h"
#include "pipeline/batch_committer.h"
#include "pipeline/change_mode.h"
#include "pipeline/delete_form.h"
#include "pipeline/own_columns.h"
#include "pipeline/partition_by.h"
#include "pipeline/schema_change.h"
#include "pipeline/target_table.h"
#include "storage/file_store.h"

namespace firn {
namespace {

using pipeline::Change;
using pipeline::ChangeKind;

/// Of one table, above which rows that are added are written before their commit.
constexpr size_t kPendingBytesMax = 64 << 20;

struct DefinedTable {
  pipeline::TableLayout layout;  ///< Computed columns are source columns here: rows get them before they are encoded.
  std::vector<ComputedColumn> computed;
  std::vector<iceberg::Field> key_fields;
  std::unique_ptr<pipeline::TableWriter> writer;
  destination::PendingRows pending;  ///< Added since the last commit, as far as they are not with the writer.
};

iceberg::TableIdent IdentOf(const TableId& id) {
  return pipeline::TargetNaming{.name_space = id.name_space}.IdentOf({.schema = "", .name = id.name});
}

pipeline::ChangeMode ToPipeline(ChangeMode mode) {
  switch (mode) {
    case ChangeMode::kMirror:
      return pipeline::ChangeMode::kMirror;
    case ChangeMode::kSoftDelete:
      return pipeline::ChangeMode::kSoftDelete;
    case ChangeMode::kHistory:
      return pipeline::ChangeMode::kHistory;
    case ChangeMode::kAppend:
      return pipeline::ChangeMode::kAppend;
  }
  std::unreachable();
}

/// `destination.format_version` and `destination.deletes`, as they go together; kInvalidConfig for any option that
/// can't be.
Result<pipeline::TableSettings> SettingsOf(const DestinationOptions& options) {
  if (options.target_file_size_bytes < 1) {
    return MakeError(ErrorKind::kInvalidConfig, "target_file_size_bytes is {}, not 1 or more",
                     options.target_file_size_bytes);
  }
  if (options.max_retries < 0) {
    return MakeError(ErrorKind::kInvalidConfig, "max_retries is {}, not 0 or more", options.max_retries);
  }
  if (options.format_version != 2 && options.format_version != 3) {
    return MakeError(ErrorKind::kInvalidConfig, "format_version is {}, not 2 or 3", options.format_version);
  }
  if (options.deletes == DeleteForm::kVector && options.format_version < 3) {
    return MakeError(ErrorKind::kInvalidConfig, "deletes: deletion vectors need format_version 3");
  }
  if (options.deletes == DeleteForm::kPosition && options.format_version >= 3) {
    return MakeError(
        ErrorKind::kInvalidConfig,
        "deletes: format version 3 has vectors in place of position delete files; set kVector, or nothing");
  }
  pipeline::TableSettings settings{.format_version = options.format_version};
  if (options.deletes == DeleteForm::kEquality) settings.deletes = pipeline::DeleteForm::kEquality;
  return settings;
}

/// Where the tables are, in the words of a configuration file.
Result<config::Config> LakeConfigOf(const DestinationOptions& options) {
  if (!options.configuration.empty()) {
    if (!options.catalog_uri.empty() || !options.warehouse.empty()) {
      return MakeError(ErrorKind::kInvalidConfig,
                       "configuration says which catalog and warehouse: catalog_uri and warehouse are for none");
    }
    return config::ParseLakeConfig(options.configuration, "configuration", config::ProcessEnvironment());
  }
  config::Config config;
  TRY(config.catalog.warehouse, storage::NormalizeLocation(options.warehouse).Context("warehouse"));
  config.catalog.uri = options.catalog_uri;
  config.catalog.name = options.catalog_name;
  return config;
}

Result<std::string> StateDirectoryOf(const DestinationOptions& options, const config::Config& config) {
  if (!options.state_directory.empty()) return options.state_directory;
  const std::string& warehouse = config.catalog.warehouse;
  if (warehouse.starts_with('/')) return warehouse + "/.firn";
  if (warehouse.starts_with("file://")) return warehouse.substr(7) + "/.firn";
  return MakeError(ErrorKind::kInvalidConfig, "state_directory is needed: the warehouse '{}' is no local folder",
                   warehouse);
}

/// The events of one table in a call, gathered before their values become columns.
class TableEvents {
 public:
  explicit TableEvents(pipeline::ChangeMode mode) : mode_(mode) {}

  /// The changes that follow are of this transaction.
  void ContinueTransaction(uint64_t position, int64_t committed_at_us) {
    if (!transactions_.empty() && transactions_.back().commit_lsn.value == position &&
        transactions_.back().committed_at_us == committed_at_us) {
      return;
    }
    transactions_.push_back({.first_change = static_cast<int32_t>(changes_.size()),
                             .commit_lsn = Lsn{position},
                             .committed_at_us = committed_at_us});
  }

  void Insert(const Row& row) { changes_.push_back({.kind = ChangeKind::kInsert, .row = AddTo(rows_, row)}); }
  void Update(const Row& row, const Row& old_key) {
    changes_.push_back(
        {.kind = ChangeKind::kUpdate, .row = AddTo(rows_, row), .old = old_key.empty() ? -1 : AddTo(keys_, old_key)});
  }
  void Delete(const Row& key) { changes_.push_back({.kind = ChangeKind::kDelete, .old = AddTo(keys_, key)}); }
  void Truncate() {
    if (mode_ != pipeline::ChangeMode::kMirror) {
      changes_.push_back({.kind = ChangeKind::kTruncate});
      return;
    }
    *this = TableEvents(mode_);  // Nothing before it matters any more.
    truncate_first_ = true;
  }
  Status Add(const Event& event) {
    switch (event.kind) {
      case EventKind::kInsert:
        Insert(event.row);
        return {};
      case EventKind::kUpdate:
        Update(event.row, event.key);
        return {};
      case EventKind::kDelete:
        Delete(event.key);
        return {};
      case EventKind::kTruncate:
        Truncate();
        return {};
    }
    return MakeError(ErrorKind::kInvalidConfig, "an event of the kind {}, which is none", static_cast<int>(event.kind));
  }

  const std::vector<const Row*>& rows() const { return rows_; }
  const std::vector<const Row*>& keys() const { return keys_; }
  /// Whether a change finds rows of the table by their key.
  bool has_keyed_changes() const {
    return std::ranges::any_of(changes_, [](const Change& change) {
      return change.kind == ChangeKind::kUpdate || change.kind == ChangeKind::kDelete;
    });
  }
  /// Without rows and keys.
  pipeline::TableBatch Batch() const {
    return {.truncate_first = truncate_first_, .changes = changes_, .transactions = transactions_};
  }

 private:
  static int32_t AddTo(std::vector<const Row*>& rows, const Row& row) {
    rows.push_back(&row);
    return static_cast<int32_t>(rows.size() - 1);
  }

  pipeline::ChangeMode mode_;
  bool truncate_first_ = false;
  std::vector<const Row*> rows_;
  std::vector<const Row*> keys_;
  std::vector<Change> changes_;
  std::vector<pipeline::TransactionRun> transactions_;
};

class IcebergDestination : public Destination {
 public:
  static Result<std::unique_ptr<IcebergDestination>> Open(const DestinationOptions& options) {
    TRY(pipeline::TableSettings settings, SettingsOf(options));
    std::unique_ptr<IcebergDestination> destination(new IcebergDestination(options, std::move(settings)));
    TRY(const config::Config config, LakeConfigOf(options));
    TRY(const std::string state, StateDirectoryOf(options, config));
    TRY(destination->lake_,
        lake::OpenLake(config, lake::LakeUse::kWrite,
                       std::make_shared<Retrier>(destination->retry_, destination->metrics_, std::stop_token())));
    TRY(destination->index_, index::Database::Open(state + "/index").Context("state_directory"));
    destination->writer_options_ = {.files = {.target_file_size_bytes = options.target_file_size_bytes},
                                    .writer = {.pipeline = options.pipeline},
                                    .expects_rows = false};
    TRY(destination->writer_options_.files.parquet.compression, iceberg::ParseCompression(options.compression));
    destination->committer_.emplace(destination->lake_.catalog(), destination->retry_, destination->metrics_);
    return destination;
  }

  Status DefineTable(const TableDefinition& definition) override {
    TRY_VOID(CheckUsable());
    if (const auto defined = tables_.find(definition.id); defined != tables_.end()) {
      TRY_VOID(CheckNothingAdded(defined->second));
    }
    TRY_VOID(OpenTable(definition));
    if (!options_.schema_store) return {};
    return options_.schema_store->StoreDefinition(definition)
        .Context("the schema store, of table {}.{}", definition.id.name_space, definition.id.name);
  }

  Status TruncateTable(const TableId& table) override {
    return WriteNow(table, [](TableEvents& events) { events.Truncate(); });
  }

  Status WriteTableRows(const TableId& table, std::span<const Row> rows) override {
    return WriteNow(table, [&](TableEvents& events) {
      for (const Row& row : rows) events.Insert(row);
    });
  }

  Status WriteEvents(std::span<const Event> events, uint64_t position) override {
    TRY_VOID(CheckUsable());
    TRY_VOID(CheckNothingAdded());
    const int64_t now = UnixMicrosNow();
    std::map<TableId, TableEvents> by_table;
    for (const Event& event : events) {
      TRY(const DefinedTable* table, Find(event.table));
      if (event.position > position) {
        return MakeError(ErrorKind::kInvalidConfig,
                         "an event of table {} has the position {}, behind that of the call, {}", table->writer->name(),
                         event.position, position);
      }
      const auto [gathered, is_first] = by_table.try_emplace(event.table, table->layout.mode);
      if (is_first) TRY_VOID(CheckGrows(*table, position));
      gathered->second.ContinueTransaction(event.position == 0 ? position : event.position,
                                           event.committed_at_us == 0 ? now : event.committed_at_us);
      TRY_VOID(gathered->second.Add(event).Context("table {}", table->writer->name()));
    }
    return Write(by_table, position);
  }

  Status AddRows(const TableId& table, EventKind kind, ArrowSchema* schema, ArrowArray* rows) override {
    TRY(const auto batch, destination::ImportRows(schema, rows).Context("table {}.{}", table.name_space, table.name));
    TRY_VOID(CheckUsable());
    TRY(DefinedTable* const defined, Find(table));
    TRY_VOID(AddTo(*defined, kind, *batch).Context("table {}", defined->writer->name()));
    // Columns of firn's own say the position of the commit, which is not known yet.
    if (defined->pending.bytes() < kPendingBytesMax || !defined->layout.own_columns.empty()) return {};
    pipeline::FlushJob job;
    std::set<TableId> written;
    TRY_VOID(OrUnusable(TakePending(kPendingBytesMax, /*position=*/0, job, written)));
    return Do(job);
  }

  Status AddTruncate(const TableId& table) override {
    TRY_VOID(CheckUsable());
    TRY(DefinedTable* const defined, Find(table));
    defined->pending.Truncate(defined->layout.mode == pipeline::ChangeMode::kMirror);
    return {};
  }

  Status Commit(uint64_t position) override {
    TRY_VOID(CheckUsable());
    for (const auto& [id, table] : tables_) {
      if (!table.pending.empty() || table.writer->has_pending()) TRY_VOID(CheckGrows(table, position));
    }
    pipeline::FlushJob job{.commit_lsn = Lsn{position}};
    std::set<TableId> written;
    TRY_VOID(OrUnusable(TakePending(/*least_bytes=*/0, position, job, written)));
    return DoAndStore(job, written, position);
  }

  Result<std::optional<uint64_t>> Position(const TableId& table) override {
    TRY_VOID(CheckUsable());
    TRY(const DefinedTable* defined, Find(table));
    return PositionOf(*defined);
  }

 private:
  IcebergDestination(const DestinationOptions& options, pipeline::TableSettings settings)
      : options_(options), settings_(std::move(settings)), retry_{.max_retries = options.max_retries} {}

  /// A table that was not defined in this process is opened by what its schema store, or itself, says of it.
  Result<DefinedTable*> Find(const TableId& table) {
    auto position = tables_.find(table);
    if (position != tables_.end()) return &position->second;
    TRY(const auto definition, LoadDefinition(table));
    if (!definition) {
      return MakeError(ErrorKind::kTableNotFound, "table {}.{} has not been defined: call DefineTable first",
                       table.name_space, table.name);
    }
    TRY_VOID(OpenTable(*definition));
    return &tables_.at(table);
  }

  Result<std::optional<TableDefinition>> LoadDefinition(const TableId& table) {
    if (options_.schema_store) {
      TRY(auto definition, options_.schema_store->LoadDefinition(table).Context("the schema store, of table {}.{}",
                                                                                table.name_space, table.name));
      if (definition) definition->id = table;
      return definition;
    }
    TRY(const auto loaded, catalog::FindTable(lake_.catalog(), IdentOf(table)));
    if (!loaded) return std::nullopt;
    return destination::DefinitionOf(table, *loaded->metadata);
  }

  Status OpenTable(const TableDefinition& definition) {
    const iceberg::TableIdent ident = IdentOf(definition.id);
    TRY(DefinedTable defined, Define(definition).Context("table {}", ToString(ident)));
    TRY(catalog::LoadedTable table, Open(ident, definition, defined.layout).Context("table {}", ToString(ident)));
    defined.writer = std::make_unique<pipeline::TableWriter>(
        pipeline::WriterContext{.store = lake_.store(), .index = *index_, .metrics = metrics_}, writer_options_,
        std::move(table), defined.layout, ToString(ident));
    TRY_VOID(CompareState(definition.id, defined).Context("table {}", ToString(ident)));
    tables_.insert_or_assign(definition.id, std::move(defined));
    return {};
  }

  static Result<std::optional<uint64_t>> PositionOf(const DefinedTable& table) {
    TRY(const auto progress, pipeline::ReadProgress(*table.writer->table().metadata));
    const bool is_empty = !progress || (progress->is_taken_back && progress->lsn == Lsn{});
    return is_empty ? std::nullopt : std::optional(progress->lsn.value);
  }

  /// The table has the last word: a state store that is behind it missed its last commits, one that is ahead of it
  /// knows of commits that the table has lost.
  Status CompareState(const TableId& id, const DefinedTable& table) {
    if (!options_.state_store) return {};
    TRY(const auto committed, PositionOf(table));
    TRY(const auto stored, options_.state_store->LoadPosition(id).Context("the state store"));
    if (stored == committed) return {};
    if (stored && (!committed || *stored > *committed)) {
      return MakeError(ErrorKind::kSourceLost,
                       "the state store knows of a commit with position {}, and the table's last one has {}: the table "
                       "was taken back or made anew; set the store back to it, and write again from there",
                       *stored, committed ? fmt::to_string(*committed) : "none");
    }
    return options_.state_store->StorePosition(id, *committed).Context("the state store");
  }

  Status StorePosition(const TableId& id, uint64_t position) {
    if (!options_.state_store) return {};
    return options_.state_store->StorePosition(id, position)
        .Context("the commit of table {}.{} is in, but the state store", id.name_space, id.name);
  }

  Status AddTo(DefinedTable& table, EventKind kind, const arrow::RecordBatch& rows) const {
    if (kind == EventKind::kTruncate) {
      return MakeError(ErrorKind::kInvalidConfig, "a truncate has no rows: call AddTruncate");
    }
    if (!table.computed.empty()) {
      return MakeError(ErrorKind::kUnsupported, "it has computed columns, which are made of rows: call WriteEvents");
    }
    const std::vector<std::string> key = KeyOf(table);
    if (kind == EventKind::kInsert || kind == EventKind::kUpdate) {
      if (kind == EventKind::kUpdate && key.empty()) return NoKey();
      TRY(auto fitted, destination::FitRows(rows, table.layout.source_fields(), key, /*allow_others=*/false));
      return table.pending.AddRows(kind == EventKind::kInsert ? ChangeKind::kInsert : ChangeKind::kUpdate,
                                   std::move(fitted));
    }
    if (key.empty()) return NoKey();
    TRY(auto keys, destination::FitRows(rows, table.key_fields, key, /*allow_others=*/true));
    if (table.layout.mode == pipeline::ChangeMode::kAppend) {
      // Old rows are as wide as rows: the change is told in all columns.
      TRY(keys, destination::FitRows(*keys, table.layout.source_fields(), key, /*allow_others=*/false));
    }
    return table.pending.AddDeletes(std::move(keys));
  }

  static std::vector<std::string> KeyOf(const DefinedTable& table) {
    std::vector<std::string> key;
    key.reserve(table.key_fields.size());
    for (const iceberg::Field& field : table.key_fields) key.push_back(field.name);
    return key;
  }
  static Error NoKey() { return MakeError(ErrorKind::kSchemaMismatch, "it has no key: rows can only be appended"); }

  /// Puts what was added to tables into the job: of those that hold `least_bytes`. Notes whose rows the job, or one
  /// before it, has written since the last commit.
  Status TakePending(size_t least_bytes, uint64_t position, pipeline::FlushJob& job, std::set<TableId>& written) {
    for (auto& [id, table] : tables_) {
      const bool takes = !table.pending.empty() && table.pending.bytes() >= least_bytes;
      if (takes || table.writer->has_pending()) written.insert(id);
      if (!takes) continue;
      const auto fields = table.layout.source_fields();
      const auto key_fields = table.layout.mode == pipeline::ChangeMode::kAppend
                                  ? fields
                                  : std::span<const iceberg::Field>(table.key_fields);
      TRY(auto batch,
          table.pending.Take(fields, key_fields, position, UnixMicrosNow()).Context("table {}", table.writer->name()));
      job.parts.push_back({.writer = table.writer.get(), .batch = std::move(batch)});
    }
    return {};
  }

  /// Without firn's own columns, and without a writer.
  Result<DefinedTable> Define(const TableDefinition& definition) const {
    TRY(iceberg::Schema schema, destination::SchemaOf(definition));
    DefinedTable defined{.computed = definition.computed};
    for (const std::string& key : definition.key) {
      const auto field = std::ranges::find(schema.fields, key, &iceberg::Field::name);
      defined.layout.key_columns.push_back(static_cast<int>(field - schema.fields.begin()));
      defined.key_fields.push_back(*field);
    }
    pipeline::TableLayout& layout = defined.layout;
    layout.mode = ToPipeline(definition.mode);
    if (!definition.key.empty()) layout.identity = pipeline::RowIdentity::kKey;
    if (layout.mode != pipeline::ChangeMode::kAppend) layout.deletes = settings_.deletes;
    if (!pipeline::KeepsKeysUnique(layout.mode)) {
      schema.identifier_field_ids.clear();
      for (iceberg::Field& field : schema.fields) field.required = false;
    }
    layout.schema = std::move(schema);
    TRY_VOID(pipeline::CheckDeleteForm(layout));
    return defined;
  }

  /// Makes the table, or opens and changes it as far as the definition asks for. `layout` gets firn's own columns.
  Result<catalog::LoadedTable> Open(const iceberg::TableIdent& ident, const TableDefinition& definition,
                                    pipeline::TableLayout& layout) {
    std::vector<pipeline::PartitionTerm> terms;
    for (const std::string& text : definition.partition_by) {
      TRY(terms.emplace_back(), pipeline::ParsePartitionTerm(text));
    }
    const auto own = pipeline::OwnColumnsOf(layout.mode, definition.track_changes, layout.identity);
    TRY(auto found, catalog::FindTable(lake_.catalog(), ident));
    if (found) {
      TRY_VOID(AdoptExisting(*found->metadata, definition, layout));
      const iceberg::TableMetadata& metadata = *found->metadata;
      const auto last_id = std::max(metadata.last_column_id, layout.schema.HighestFieldId());
      TRY_VOID(pipeline::AddOwnColumns(own, metadata.CurrentSchema(), last_id, layout));
      TRY_VOID(Follow(definition, terms, layout, *found));
    } else {
      TRY_VOID(pipeline::AddOwnColumns(own, {}, layout.schema.HighestFieldId(), layout));
      iceberg::NewTable table{.schema = layout.schema, .format_version = settings_.format_version};
      TRY(table.spec, pipeline::MakePartitionSpec(terms, layout.schema));
      table.properties = destination::DefinitionProperties(definition);
      table.properties.emplace(pipeline::kChangeModeProperty, pipeline::ToString(layout.mode));
      TRY_VOID(lake_.catalog().EnsureNamespace(ident.namespace_levels));
      TRY(found, lake_.catalog().CreateTable(ident, table));
    }
    TRY_VOID(pipeline::AdoptDeleteForm(lake_.catalog(), settings_, *found, retry_));
    return *std::move(found);
  }

  /// Gives the layout's columns, firn's own not among them, their ids in the table.
  Status AdoptExisting(const iceberg::TableMetadata& metadata, const TableDefinition& definition,
                       pipeline::TableLayout& layout) const {
    TRY(const auto progress, pipeline::ReadProgress(metadata));
    if (progress && progress->writer.pipeline != options_.pipeline) {
      return MakeError(ErrorKind::kAlreadyExists, "pipeline '{}' writes the table, and this one is '{}'",
                       progress->writer.pipeline, options_.pipeline);
    }
    TRY_VOID(pipeline::CheckMode(metadata, layout.mode));
    TRY_VOID(pipeline::CheckFormatVersion(metadata, settings_));
    iceberg::Schema existing = metadata.CurrentSchema();
    std::erase_if(existing.fields, [](const iceberg::Field& field) { return pipeline::IsOwnColumn(field.name); });
    return destination::AdoptFieldIds(existing, metadata.last_column_id, definition.key, layout.schema);
  }

  /// Changes the table as ChangeOf says, whatever is committed to it at the same time.
  Status Follow(const TableDefinition& definition, const std::vector<pipeline::PartitionTerm>& terms,
                const pipeline::TableLayout& layout, catalog::LoadedTable& table) {
    const iceberg::TableMetadataPtr base = table.metadata;
    const auto build = [&](const catalog::LoadedTable& fresh) -> Result<std::optional<iceberg::CommitRequest>> {
      TRY(const pipeline::SchemaChange change, ChangeOf(definition, terms, layout, *fresh.metadata));
      if (change.empty()) return std::nullopt;
      TRY_VOID(pipeline::CheckPlannedOn(*base, *fresh.metadata));
      return pipeline::SchemaChangeRequest(change, fresh.ident, *fresh.metadata);
    };
    TRY(table, catalog::CommitMetadata(lake_.catalog(), table, build, retry_, {}, &metrics_));
    return {};
  }

  /// New and wider columns, another partitioning, firn's own columns that the table lacks, and the change mode.
  static Result<pipeline::SchemaChange> ChangeOf(const TableDefinition& definition,
                                                 const std::vector<pipeline::PartitionTerm>& terms,
                                                 const pipeline::TableLayout& layout,
                                                 const iceberg::TableMetadata& metadata) {
    const iceberg::Schema with_columns = destination::WithFields(layout.source_fields(), metadata.CurrentSchema());
    pipeline::SchemaChange change{.schema = pipeline::WithFieldsOf(layout, with_columns),
                                  .properties = pipeline::ChangeModeProperties(metadata, layout.mode)};
    for (const auto& [name, value] : destination::DefinitionProperties(definition)) {
      const auto known = metadata.properties.find(name);
      if (known == metadata.properties.end() || known->second != value) change.properties.emplace(name, value);
    }
    change.schema_differs = change.schema.fields != metadata.CurrentSchema().fields;
    change.properties_differ = !change.properties.empty();
    TRY(change.spec, pipeline::EvolvePartitionSpec(terms, layout.schema, metadata));
    return change;
  }

  static Result<encode::EncodedRows> EncodeRows(const DefinedTable& table, std::span<const Row* const> rows) {
    const auto fields = table.layout.source_fields();
    if (table.computed.empty()) return destination::EncodeCells(fields, rows, KeyOf(table));
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
    return destination::EncodeCells(fields, pointers, KeyOf(table));
  }

  /// Of an append table, old rows are as wide as rows: the change is told in all columns.
  static Result<encode::EncodedRows> EncodeKeys(const DefinedTable& table, std::span<const Row* const> keys) {
    if (table.layout.mode != pipeline::ChangeMode::kAppend)
      return destination::EncodeCells(table.key_fields, keys, KeyOf(table));
    const auto fields = table.layout.source_fields();
    std::vector<Row> whole(keys.size(), Row(fields.size()));
    std::vector<const Row*> pointers;
    for (size_t row = 0; row < keys.size(); ++row) {
      const std::vector<int>& key_columns = table.layout.key_columns;
      if (keys[row]->size() != key_columns.size()) {
        return MakeError(ErrorKind::kSchemaMismatch, "row {} has {} values, not {}", row, keys[row]->size(),
                         key_columns.size());
      }
      for (size_t i = 0; i < key_columns.size(); ++i) whole[row][static_cast<size_t>(key_columns[i])] = (*keys[row])[i];
      pointers.push_back(&whole[row]);
    }
    return destination::EncodeCells(fields, pointers, KeyOf(table));
  }

  static Status CheckNothingAdded(const DefinedTable& table) {
    if (table.pending.empty() && !table.writer->has_pending()) return {};
    return MakeError(ErrorKind::kInvalidConfig,
                     "rows that were added to table {} wait for their commit: call Commit first", table.writer->name());
  }
  /// The positions of calls are not those of what was added.
  Status CheckNothingAdded() const {
    for (const auto& [id, table] : tables_) TRY_VOID(CheckNothingAdded(table));
    return {};
  }

  /// What is at the table's position, or before it, is in the table.
  static Status CheckGrows(const DefinedTable& table, uint64_t position) {
    TRY(const auto reached, PositionOf(table));
    if (!reached || position > *reached) return {};
    return MakeError(
        ErrorKind::kInvalidConfig,
        "the position {} is not behind {}, up to which table {} has been written: it has these rows, or the "
        "positions don't grow",
        position, *reached, table.writer->name());
  }

  Status CheckUsable() const {
    if (!failure_) return {};
    return MakeError(ErrorKind::kWriteFailed,
                     "an earlier write failed, and this Destination can't know what it wrote: open another, ask it for "
                     "Position, and go on from there; it was: {}",
                     failure_->message());
  }
  Status OrUnusable(Status status) {
    if (status) return status;
    failure_ = Redacted(status.error());
    return *failure_;
  }
  Status Do(pipeline::FlushJob& job) {
    const auto outcome = committer_->Do(job, {});
    return OrUnusable(outcome ? Status() : Status(outcome.error()));
  }

  Status WriteNow(const TableId& id, const std::function<void(TableEvents&)>& add) {
    TRY_VOID(CheckUsable());
    TRY_VOID(CheckNothingAdded());
    TRY(const auto reached, Position(id));
    const uint64_t position = reached.value_or(0);
    TRY(const DefinedTable* table, Find(id));
    TableEvents events(table->layout.mode);
    events.ContinueTransaction(position, UnixMicrosNow());
    add(events);
    return Write({{id, std::move(events)}}, position);
  }

  /// While nothing that was added waits.
  Status Write(const std::map<TableId, TableEvents>& by_table, uint64_t position) {
    pipeline::FlushJob job{.commit_lsn = Lsn{position}};
    std::set<TableId> written;
    for (const auto& [id, events] : by_table) {
      TRY(DefinedTable* const table, Find(id));
      pipeline::FlushJob::Part part{.writer = table->writer.get(), .batch = events.Batch()};
      if (events.has_keyed_changes() && table->key_fields.empty()) {
        return MakeError(ErrorKind::kSchemaMismatch, "table {} has no key: rows can only be appended",
                         table->writer->name());
      }
      TRY(part.batch.rows, EncodeRows(*table, events.rows()).Context("table {}", table->writer->name()));
      TRY(part.batch.old_keys, EncodeKeys(*table, events.keys()).Context("keys of table {}", table->writer->name()));
      job.parts.push_back(std::move(part));
      written.insert(id);
    }
    return DoAndStore(job, written, position);
  }

  Status DoAndStore(pipeline::FlushJob& job, const std::set<TableId>& written, uint64_t position) {
    if (written.empty()) return {};
    TRY_VOID(Do(job));
    for (const TableId& id : written) TRY_VOID(StorePosition(id, position));
    return {};
  }

  const DestinationOptions options_;
  const pipeline::TableSettings settings_;
  const RetryPolicy retry_;
  Metrics metrics_;
  lake::Lake lake_;
  std::unique_ptr<index::Database> index_;
  pipeline::TableWriterOptions writer_options_;
  std::optional<pipeline::BatchCommitter> committer_;
  std::map<TableId, DefinedTable> tables_;
  std::optional<Error> failure_;  ///< Of a write that had begun.
};

}  // namespace

Result<std::unique_ptr<Destination>> Destination::Open(const DestinationOptions& options) {
  auto destination = IcebergDestination::Open(options);
  if (!destination) return Redacted(destination.error());
  return *std::move(destination);
}

}  // namespace firn
