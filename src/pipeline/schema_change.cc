#include "pipeline/schema_change.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/try.h"
#include "postgres/table_version.h"

namespace firn::pipeline {
namespace {

using iceberg::Field;
using iceberg::FieldId;
using iceberg::Type;
using iceberg::TypeId;

/// A column of this type is always sent whole: its values are too small for PostgreSQL to move them out of the row.
bool IsNeverToasted(const Type& type) {
  return type.is_primitive() && type.id != TypeId::kString && type.id != TypeId::kBinary &&
         type.id != TypeId::kVariant && type.id != TypeId::kUnknown;
}

/// `type` as wide as `natural` is, with its nested ids. Only where encode::Widens(type, natural).
void Promote(Type& type, const Type& natural) {
  if (type.is_primitive()) {
    type = natural;
    return;
  }
  for (size_t i = 0; i < type.fields.size(); ++i) Promote(type.fields[i].type, natural.fields[i].type);
}

void AssignNestedIds(Type& type, FieldId& next_id) {
  for (Field& field : type.fields) field.id = next_id++;
  for (Field& field : type.fields) AssignNestedIds(field.type, next_id);
}

std::optional<FieldId> FieldOf(const AttnumToField& columns, int16_t attnum) {
  const auto entry = std::ranges::find(columns, attnum, &std::pair<int16_t, FieldId>::first);
  return entry == columns.end() ? std::nullopt : std::optional(entry->second);
}

class Planner {
 public:
  Planner(const iceberg::TableMetadata& table, const StoredDefinition& stored, const SourceTable& source,
          const encode::TableMapping& natural, TypeChangePolicy policy, Lsn applied)
      : table_(table),
        current_(table.CurrentSchema()),
        source_(source),
        natural_(natural),
        policy_(policy),
        applied_(applied),
        stored_(stored),
        next_id_(table.last_column_id + 1) {}

  Result<SchemaChange> Plan() {
    if (stored_.oid != source_.oid) AdoptByName();
    change_.schema.schema_id = current_.schema_id;
    for (size_t i = 0; i < source_.columns.size(); ++i) PlanColumn(source_.columns[i], natural_.columns[i].field);
    PlanDropped();
    PlanKey();
    TRY_VOID(AddOtherFields());
    TRY_VOID(CheckPartitionNames());
    LookForRewrites();

    change_.schema_differs = change_.schema.fields != current_.fields ||
                             change_.schema.identifier_field_ids != current_.identifier_field_ids;
    PlanProperties();
    return std::move(change_);
  }

 private:
  void Step(std::string step) { change_.steps.push_back(std::move(step)); }

  void CopyAgain(std::string why) {
    if (change_.copy_again.empty()) change_.copy_again = std::move(why);
  }

  /// Another table has taken the name: what it has in common with the one before is names alone.
  void AdoptByName() {
    CopyAgain(fmt::format("{} has been dropped and made again", stored_.table));
    AttnumToField adopted;
    std::set<FieldId> ours;
    for (const auto& [attnum, id] : stored_.columns) ours.insert(id);
    for (const SourceColumn& column : source_.columns) {
      const Field* field = current_.FindField(column.name);
      if (field != nullptr && ours.contains(field->id)) adopted.emplace_back(column.attnum, field->id);
    }
    for (const auto& [attnum, id] : stored_.columns) {
      if (std::ranges::find(adopted, id, &std::pair<int16_t, FieldId>::second) == adopted.end()) gone_.insert(id);
    }
    AttnumToField earlier;
    for (const auto& [attnum, id] : stored_.dropped) earlier.emplace_back(kEarlierTable, id);
    for (const FieldId id : gone_) earlier.emplace_back(kEarlierTable, id);
    // Only those that stay in the schema are to be known for ours.
    std::erase_if(earlier, [&](const auto& dropped) { return !IsUsed(dropped.second); });
    stored_ = {
        .table = stored_.table, .oid = source_.oid, .columns = std::move(adopted), .dropped = std::move(earlier)};
  }

  void PlanColumn(const SourceColumn& column, const Field& natural) {
    const std::optional<FieldId> id = FieldOf(stored_.columns, column.attnum);
    const Field* existing = id ? current_.FindField(*id) : nullptr;
    if (existing == nullptr) {
      AddColumn(column, natural);
      return;
    }
    Field field = *existing;
    if (field.name != column.name) {
      Step(fmt::format("renames column {} to {}", field.name, column.name));
      field.name = column.name;
    }
    if (!encode::Widens(natural.type, field.type)) {
      if (!encode::Widens(field.type, natural.type)) {
        ReplaceField(column, *existing, natural);
        return;
      }
      Step(fmt::format("widens column {} from {} to {}", column.name, ToString(field.type), ToString(natural.type)));
      Promote(field.type, natural.type);
    }
    Keep(column, std::move(field));
  }

  void Keep(const SourceColumn& column, Field field) {
    change_.columns.emplace_back(column.attnum, field.id);
    change_.schema.fields.push_back(std::move(field));
  }

  void AddField(const SourceColumn& column, const Field& natural, bool for_old_rows) {
    Field field = natural;
    if (!for_old_rows) field.initial_default = field.write_default = std::nullopt;
    field.id = next_id_++;
    field.required = false;  // Readers of older files have nothing for it.
    AssignNestedIds(field.type, next_id_);
    Keep(column, std::move(field));
  }

  void AddColumn(const SourceColumn& column, const Field& natural) {
    Step(fmt::format("adds column {} ({})", column.name, ToString(natural.type)));
    AddField(column, natural, /*for_old_rows=*/true);
    if (std::ranges::find(stored_.attributes, column.attnum, &std::pair<int16_t, uint32_t>::first) !=
        stored_.attributes.end()) {
      // It was there, but not replicated (a generated column, before DROP EXPRESSION).
      CopyAgain(fmt::format("column {} holds values that never came through the stream", column.name));
    }
    if (column.missing_value && !natural.initial_default)
      CopyAgain(fmt::format("column {} was added with a default", column.name));
  }

  /// A type that the field can't become.
  void ReplaceField(const SourceColumn& column, const Field& existing, const Field& natural) {
    Step(fmt::format("changes column {} from {} to {}", column.name, ToString(existing.type), ToString(natural.type)));
    retyped_.insert(column.attnum);
    stored_.dropped.emplace_back(column.attnum, existing.id);
    AddField(column, natural, /*for_old_rows=*/false);
    if (policy_ == TypeChangePolicy::kNewField) {
      kept_old_.insert(existing.id);
      if (IsNeverToasted(natural.type)) return;
    } else {
      gone_.insert(existing.id);
    }
    CopyAgain(
        fmt::format("column {} changed from {} to {}", column.name, ToString(existing.type), ToString(natural.type)));
  }

  void PlanDropped() {
    for (const auto& [attnum, id] : stored_.columns) {
      if (std::ranges::find(source_.columns, attnum, &SourceColumn::attnum) != source_.columns.end()) continue;
      const Field* field = current_.FindField(id);
      if (field != nullptr) Step(fmt::format("drops column {}", field->name));
      // A dropped column's row stays in pg_attribute. Where there is none any more, a copy's snapshot has seen what the
      // catalogs don't show yet; when they do, nothing would tell what the copied rows hold.
      const auto was_there = std::ranges::find(stored_.attributes, attnum, &AttnumToXmin::value_type::first);
      const auto is_there = std::ranges::find(source_.version.attributes, attnum, &AttributeVersion::attnum);
      if (was_there != stored_.attributes.end() && is_there == source_.version.attributes.end()) {
        CopyAgain("PostgreSQL's catalogs don't show a column that it was copied with");
      }
      gone_.insert(id);
      stored_.dropped.emplace_back(attnum, id);
    }
  }

  /// Identifier fields must be required. A field that has held nulls, or that older files lack, can't become so.
  void PlanKey() {
    std::set<FieldId> key;
    bool can_identify = !source_.key_columns.empty();
    for (const int column : source_.key_columns) {
      const Field& field = change_.schema.fields.at(static_cast<size_t>(column));
      key.insert(field.id);
      can_identify = can_identify && field.required && field.type.is_primitive() && field.type.id != TypeId::kFloat &&
                     field.type.id != TypeId::kDouble;
      if (can_identify) change_.schema.identifier_field_ids.insert(field.id);
    }
    if (!can_identify) change_.schema.identifier_field_ids.clear();
    for (Field& field : change_.schema.fields) field.required = field.required && key.contains(field.id);
    if (change_.schema.identifier_field_ids != current_.identifier_field_ids) Step("changes the key");
  }

  /// Fields that are not the source's, behind those that are: computed ones, firn's own, a reader's, and old ones that
  /// must stay.
  Status AddOtherFields() {
    std::set<FieldId> ours;
    for (const auto& [attnum, id] : change_.columns) ours.insert(id);
    for (const Field& field : current_.fields) {
      if (ours.contains(field.id)) continue;
      const bool is_old = kept_old_.contains(field.id) || (gone_.contains(field.id) && IsUsed(field.id));
      if (gone_.contains(field.id) && !is_old) continue;
      Field other = field;
      if (is_old) {
        other.required = false;
        other.name = NameOfOld(field);
      } else if (const auto same = std::ranges::find(change_.schema.fields, field.name, &Field::name);
                 same != change_.schema.fields.end()) {
        if (!WasOurs(field.id)) {
          return MakeError(
              ErrorKind::kSchemaMismatch,
              "column {} can't be named so in the Iceberg table, where field {} has that name, which is not "
              "of the source table; rename that field, or the column",
              field.name, field.id);
        }
        other.name = NameOfOld(field);
      }
      change_.schema.fields.push_back(std::move(other));
    }
    return {};
  }

  /// A partition field may share its name only with the column that it is made from: Iceberg's Java library reads no
  /// table where it is another's, and partition specs, old ones too, never change.
  Status CheckPartitionNames() const {
    for (const iceberg::PartitionSpec& spec : table_.partition_specs) {
      for (const iceberg::PartitionField& partition : spec.fields) {
        const auto same = std::ranges::find(change_.schema.fields, partition.name, &Field::name);
        if (same == change_.schema.fields.end() || same->id == partition.source_id) continue;
        return MakeError(ErrorKind::kSchemaMismatch,
                         "column {} can't be named so in the Iceberg table, of which a partition field of another "
                         "column has that name; rename the column, or drop the table in the catalog to copy it anew",
                         partition.name);
      }
    }
    return {};
  }

  /// Partition specs and sort orders that name a field need it for as long as they are in the metadata.
  bool IsUsed(FieldId id) const {
    const auto names_it = [&](const auto& fields) {
      return std::ranges::any_of(fields, [&](const auto& field) { return field.source_id == id; });
    };
    return std::ranges::any_of(table_.partition_specs, [&](const auto& spec) { return names_it(spec.fields); }) ||
           std::ranges::any_of(table_.sort_orders, [&](const auto& order) { return names_it(order.fields); });
  }

  bool WasOurs(FieldId id) const {
    return std::ranges::find(stored_.dropped, id, &std::pair<int16_t, FieldId>::second) != stored_.dropped.end();
  }

  std::string NameOfOld(const Field& old) const {
    const auto is_free = [&](const std::string& name) {
      return std::ranges::find(change_.schema.fields, name, &Field::name) == change_.schema.fields.end() &&
             std::ranges::none_of(current_.fields,
                                  [&](const Field& field) { return field.name == name && field.id != old.id; });
    };
    if (!kept_old_.contains(old.id) && is_free(old.name)) return old.name;
    for (int number = 1;; ++number) {
      std::string name = fmt::format("{}_old{}", old.name, number);
      if (is_free(name)) return name;
    }
  }

  /// Whether values may have changed without a word in the stream.
  void LookForRewrites() {
    if (!stored_.membership.empty() && !postgres::ShareEntry(stored_.membership, source_.version.membership)) {
      CopyAgain("it was taken out of the publication for a time");
    }
    if (postgres::MayHaveLeftOut(stored_.membership, source_.version.membership)) {
      CopyAgain("the publication was altered, and may not have published every operation for a time");
    }
    for (const TypePart& part : source_.version.type_parts) {
      const auto known = std::ranges::find(stored_.type_parts, part.oid, &std::pair<uint32_t, uint32_t>::first);
      if (known == stored_.type_parts.end() || known->second == part.hash) continue;
      CopyAgain("a type that its values are of was altered");
    }
    if (stored_.files.empty()) return;
    const auto file_of = [&](TableOid oid) -> std::optional<uint32_t> {
      const auto file = std::ranges::find(stored_.files, oid.value, &std::pair<uint32_t, uint32_t>::first);
      return file == stored_.files.end() ? std::nullopt : std::optional(file->second);
    };
    const std::vector<TableHeap>& heaps = source_.version.heaps;
    const bool is_ordinary = heaps.size() == 1 && heaps.front().oid == source_.oid;
    if (is_ordinary) {
      if (file_of(source_.oid) != heaps.front().file && AttributesChanged()) {
        CopyAgain("its rows were rewritten by a change of its columns");
      }
      return;
    }
    for (const TableHeap& heap : heaps) {
      const auto file = file_of(heap.oid);
      if (!file && !heap.made_as_partition) CopyAgain("a partition was attached");
      if (file && *file != heap.file) CopyAgain("a partition was rewritten or truncated");
    }
    for (const auto& [oid, file] : stored_.files) {
      if (std::ranges::find(heaps, TableOid{oid}, &TableHeap::oid) == heaps.end()) CopyAgain("a partition is gone");
    }
  }

  /// Columns that were dropped took no value of the others along, and those that became a new field are told by it.
  bool AttributesChanged() const {
    return std::ranges::any_of(source_.version.attributes, [&](const AttributeVersion& attribute) {
      const bool is_replicated =
          std::ranges::find(source_.columns, attribute.attnum, &SourceColumn::attnum) != source_.columns.end();
      if (!is_replicated || (policy_ == TypeChangePolicy::kNewField && retyped_.contains(attribute.attnum))) {
        return false;
      }
      const auto known = std::ranges::find(stored_.attributes, attribute.attnum, &std::pair<int16_t, uint32_t>::first);
      return known == stored_.attributes.end() || known->second != attribute.xmin;
    });
  }

  void PlanProperties() {
    change_.properties = DefinitionProperties(source_, change_.columns, stored_.dropped);
    bool only_files = !change_.schema_differs;
    for (const auto& [key, value] : change_.properties) {
      if (key == kSourceLsnProperty) continue;
      const auto found = table_.properties.find(key);
      if (found != table_.properties.end() && found->second == value) continue;
      change_.properties_differ = true;
      only_files = only_files && (key == kSourceFilesProperty || key == kSourcePublicationProperty);
    }
    // Unless what the stream describes has changed, its messages are known to be of now from an earlier place on.
    if (only_files && stored_.read_at.valid()) {
      change_.properties[kSourceLsnProperty] = ToString(stored_.read_at);
      return;
    }
    // Where changes are yet to come that may be older than the definition known, the one before it stays known as well.
    if (stored_.read_at.valid() && applied_ >= stored_.read_at) {
      change_.properties.merge(BeforeProperties(stored_.attributes, stored_.read_at));
    }
  }

  const iceberg::TableMetadata& table_;
  const iceberg::Schema& current_;
  const SourceTable& source_;
  const encode::TableMapping& natural_;
  const TypeChangePolicy policy_;
  const Lsn applied_;
  StoredDefinition stored_;
  FieldId next_id_;
  std::set<FieldId> gone_;
  std::set<FieldId> kept_old_;
  std::set<int16_t> retyped_;
  SchemaChange change_;
};

}  // namespace

Result<SchemaChange> PlanSchemaChange(const iceberg::TableMetadata& table, const StoredDefinition& stored,
                                      const SourceTable& source, const encode::TableMapping& natural,
                                      TypeChangePolicy policy, Lsn applied) {
  return Planner(table, stored, source, natural, policy, applied).Plan();
}

Status CheckPlannedOn(const iceberg::TableMetadata& base, const iceberg::TableMetadata& fresh) {
  if (fresh.current_schema_id == base.current_schema_id && fresh.last_column_id == base.last_column_id &&
      fresh.default_spec_id == base.default_spec_id && fresh.last_partition_id == base.last_partition_id) {
    return {};
  }
  return MakeError(ErrorKind::kConflict, "another writer changed the table's schema or partitions at the same time");
}

iceberg::CommitRequest SchemaChangeRequest(const SchemaChange& change, const iceberg::TableIdent& ident,
                                           const iceberg::TableMetadata& table) {
  iceberg::CommitRequest request{.table = ident};
  request.requirements = {iceberg::AssertTableUuid{table.table_uuid},
                          iceberg::AssertCurrentSchemaId{table.current_schema_id},
                          iceberg::AssertLastAssignedFieldId{table.last_column_id}};
  if (change.schema_differs) {
    request.updates.emplace_back(iceberg::AddSchema{change.schema});
    request.updates.emplace_back(iceberg::SetCurrentSchema{-1});
  }
  if (change.spec) {
    request.requirements.emplace_back(iceberg::AssertDefaultSpecId{table.default_spec_id});
    request.requirements.emplace_back(iceberg::AssertLastAssignedPartitionId{table.last_partition_id});
    request.updates.emplace_back(iceberg::AddPartitionSpec{*change.spec});
    request.updates.emplace_back(iceberg::SetDefaultSpec{-1});
  }
  if (change.sort_order) {
    // By its id where it is one that the table has had: of order 0 there is nothing to be added.
    const auto is_known = [&](const iceberg::SortOrder& order) { return order == *change.sort_order; };
    const bool known = std::ranges::any_of(table.sort_orders, is_known);
    if (!known) request.updates.emplace_back(iceberg::AddSortOrder{*change.sort_order});
    request.updates.emplace_back(iceberg::SetDefaultSortOrder{known ? change.sort_order->order_id : -1});
  }
  request.updates.emplace_back(iceberg::SetProperties{change.properties});
  return request;
}

std::vector<KnownAttribute> KnownAttributes(const StoredDefinition& stored, const SourceTable& source) {
  std::vector<KnownAttribute> known;
  for (const AttributeVersion& attribute : source.version.attributes) {
    const auto column = std::ranges::find(source.columns, attribute.attnum, &SourceColumn::attnum);
    if (attribute.generated && column == source.columns.end()) continue;  // Not in the stream.
    const auto before = std::ranges::find(stored.before_attributes, attribute.attnum, &AttnumToXmin::value_type::first);
    const bool was_there = before != stored.before_attributes.end();
    const bool untouched = was_there && before->second == attribute.xmin;
    KnownAttribute& entry = known.emplace_back(KnownAttribute{.attnum = attribute.attnum, .untouched = untouched});
    if (attribute.dropped) {
      entry.presence = untouched ? Presence::kNever : Presence::kAtTimes;
    } else if (was_there) {
      // It was replicated then: of a generated column that became another (DROP EXPRESSION) the table is copied again.
      entry.presence = Presence::kAlways;
    }
    if (column == source.columns.end()) continue;
    entry.name = column->name;
    entry.type_oid = column->declared_type_oid;
    entry.type_modifier = column->declared_type_modifier;
  }
  return known;
}

}  // namespace firn::pipeline
