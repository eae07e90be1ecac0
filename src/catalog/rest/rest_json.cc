#include "catalog/rest/rest_json.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/try.h"
#include "iceberg/json_member.h"
#include "iceberg/schema_json.h"
#include "iceberg/table_metadata_json.h"

namespace firn::catalog::rest {
namespace {

using iceberg::FindMember;
using iceberg::JsonValue;
using iceberg::Member;
using iceberg::MemberArray;
using iceberg::OptionalMember;

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

Result<Json> ParseObject(std::string_view text) {
  TRY(Json json, iceberg::ParseJson(text));
  if (json.is_object()) return json;
  return MakeError(ErrorKind::kCorrupt, "expected an object, found {}", json.type_name());
}

/// Values that are no strings (numbers, true and false, as some servers give them) become their JSON text.
Result<Settings> ReadSettings(const Json& object, std::string_view name) {
  Settings settings;
  const Json* member = FindMember(object, name);
  if (member == nullptr) return settings;
  if (!member->is_object()) {
    return MakeError(ErrorKind::kCorrupt, "{}: expected an object, found {}", name, member->type_name());
  }
  for (const auto& [key, value] : member->items()) {
    if (value.is_null()) continue;
    settings[key] = value.is_string() ? value.get<std::string>() : iceberg::DumpJson(value);
  }
  return settings;
}

Result<std::vector<StorageCredential>> ReadCredentials(const Json& object) {
  return MemberArray<StorageCredential>(object, "storage-credentials",
                                        [](const Json& item) -> Result<StorageCredential> {
                                          StorageCredential credential;
                                          TRY(credential.prefix, Member<std::string>(item, "prefix"));
                                          TRY(credential.config, ReadSettings(item, "config"));
                                          return credential;
                                        });
}

Result<std::vector<std::string>> ReadLevels(const Json& json) {
  std::vector<std::string> levels;
  if (!json.is_array()) return MakeError(ErrorKind::kCorrupt, "expected an array, found {}", json.type_name());
  for (const Json& item : json) {
    TRY(std::string level, JsonValue<std::string>(item));
    levels.push_back(std::move(level));
  }
  return levels;
}

Json LevelsToJson(const std::vector<std::string>& levels) { return Json(levels); }

Json OptionalNumber(const std::optional<int64_t>& number) { return number ? Json(*number) : Json(nullptr); }

/// Numbers a type's fields as TypeUtil.assignFreshIds of Iceberg's Java does, and says whether they are numbered so.
bool AreNumberedInOrder(const std::vector<iceberg::Field>& fields, iceberg::FieldId& next) {
  for (const iceberg::Field& field : fields) {
    if (field.id != next++) return false;
  }
  for (const iceberg::Field& field : fields) {
    if (!AreNumberedInOrder(field.type.fields, next)) return false;
  }
  return true;
}

}  // namespace

Json RequirementToJson(const iceberg::Requirement& requirement) {
  return std::visit(Overloaded{
                        [](const iceberg::AssertCreate&) { return Json{{"type", "assert-create"}}; },
                        [](const iceberg::AssertTableUuid& wanted) {
                          return Json{{"type", "assert-table-uuid"}, {"uuid", wanted.uuid}};
                        },
                        [](const iceberg::AssertRefSnapshotId& wanted) {
                          return Json{{"type", "assert-ref-snapshot-id"},
                                      {"ref", wanted.ref},
                                      {"snapshot-id", OptionalNumber(wanted.snapshot_id)}};
                        },
                        [](const iceberg::AssertLastAssignedFieldId& wanted) {
                          return Json{{"type", "assert-last-assigned-field-id"},
                                      {"last-assigned-field-id", wanted.last_assigned_field_id}};
                        },
                        [](const iceberg::AssertCurrentSchemaId& wanted) {
                          return Json{{"type", "assert-current-schema-id"},
                                      {"current-schema-id", wanted.current_schema_id}};
                        },
                        [](const iceberg::AssertLastAssignedPartitionId& wanted) {
                          return Json{{"type", "assert-last-assigned-partition-id"},
                                      {"last-assigned-partition-id", wanted.last_assigned_partition_id}};
                        },
                        [](const iceberg::AssertDefaultSpecId& wanted) {
                          return Json{{"type", "assert-default-spec-id"}, {"default-spec-id", wanted.default_spec_id}};
                        },
                    },
                    requirement);
}

Json UpdateToJson(const iceberg::Update& update) {
  return std::visit(
      Overloaded{
          [](const iceberg::AssignUuid& change) { return Json{{"action", "assign-uuid"}, {"uuid", change.uuid}}; },
          [](const iceberg::UpgradeFormatVersion& change) {
            return Json{{"action", "upgrade-format-version"}, {"format-version", change.format_version}};
          },
          [](const iceberg::AddSchema& change) {
            // last-column-id: deprecated in the spec, and asked for by older servers.
            return Json{{"action", "add-schema"},
                        {"schema", iceberg::SchemaToJson(change.schema)},
                        {"last-column-id", change.schema.HighestFieldId()}};
          },
          [](const iceberg::SetCurrentSchema& change) {
            return Json{{"action", "set-current-schema"}, {"schema-id", change.schema_id}};
          },
          [](const iceberg::AddPartitionSpec& change) {
            return Json{{"action", "add-spec"}, {"spec", iceberg::PartitionSpecToJson(change.spec)}};
          },
          [](const iceberg::SetDefaultSpec& change) {
            return Json{{"action", "set-default-spec"}, {"spec-id", change.spec_id}};
          },
          [](const iceberg::AddSortOrder& change) {
            return Json{{"action", "add-sort-order"}, {"sort-order", iceberg::SortOrderToJson(change.order)}};
          },
          [](const iceberg::SetDefaultSortOrder& change) {
            return Json{{"action", "set-default-sort-order"}, {"sort-order-id", change.order_id}};
          },
          [](const iceberg::AddSnapshot& change) {
            return Json{{"action", "add-snapshot"}, {"snapshot", iceberg::SnapshotToJson(change.snapshot)}};
          },
          [](const iceberg::SetSnapshotRef& change) {
            Json json = {{"action", "set-snapshot-ref"}, {"ref-name", change.ref}};
            json.update(iceberg::SnapshotRefToJson(change.target));
            return json;
          },
          [](const iceberg::RemoveSnapshots& change) {
            return Json{{"action", "remove-snapshots"}, {"snapshot-ids", change.snapshot_ids}};
          },
          [](const iceberg::RemoveSnapshotRef& change) {
            return Json{{"action", "remove-snapshot-ref"}, {"ref-name", change.ref}};
          },
          [](const iceberg::SetLocation& change) {
            return Json{{"action", "set-location"}, {"location", change.location}};
          },
          [](const iceberg::SetProperties& change) {
            return Json{{"action", "set-properties"}, {"updates", change.properties}};
          },
          [](const iceberg::RemoveProperties& change) {
            return Json{{"action", "remove-properties"}, {"removals", change.keys}};
          },
      },
      update);
}

Json TableIdentToJson(const iceberg::TableIdent& ident) {
  return {{"namespace", LevelsToJson(ident.namespace_levels)}, {"name", ident.name}};
}

std::vector<iceberg::Update> WithIdsOfAdded(std::vector<iceberg::Update> updates, const iceberg::TableMetadata& base) {
  int32_t schema_id = 0;
  int32_t spec_id = 0;
  int32_t order_id = 1;  // 0 is "unsorted".
  for (const iceberg::Schema& schema : base.schemas) schema_id = std::max(schema_id, schema.schema_id + 1);
  for (const iceberg::PartitionSpec& spec : base.partition_specs) spec_id = std::max(spec_id, spec.spec_id + 1);
  for (const iceberg::SortOrder& order : base.sort_orders) order_id = std::max(order_id, order.order_id + 1);
  // The id of the last one added where the table had it before; -1, "the one just added", where it is new.
  int32_t schema_again = -1;
  int32_t spec_again = -1;
  int32_t order_again = -1;
  for (iceberg::Update& update : updates) {
    if (auto* added = std::get_if<iceberg::AddSchema>(&update)) {
      const auto same = std::ranges::find_if(base.schemas, [&](const iceberg::Schema& known) {
        return known.fields == added->schema.fields && known.identifier_field_ids == added->schema.identifier_field_ids;
      });
      const bool is_new = same == base.schemas.end();
      added->schema.schema_id = is_new ? schema_id++ : same->schema_id;
      schema_again = is_new ? -1 : same->schema_id;
    } else if (auto* spec = std::get_if<iceberg::AddPartitionSpec>(&update)) {
      const auto same = std::ranges::find(base.partition_specs, spec->spec.fields, &iceberg::PartitionSpec::fields);
      const bool is_new = same == base.partition_specs.end();
      spec->spec.spec_id = is_new ? spec_id++ : same->spec_id;
      spec_again = is_new ? -1 : same->spec_id;
    } else if (auto* order = std::get_if<iceberg::AddSortOrder>(&update); order && !order->order.fields.empty()) {
      const auto same = std::ranges::find(base.sort_orders, order->order.fields, &iceberg::SortOrder::fields);
      const bool is_new = same == base.sort_orders.end();
      order->order.order_id = is_new ? order_id++ : same->order_id;
      order_again = is_new ? -1 : same->order_id;
    } else if (auto* current = std::get_if<iceberg::SetCurrentSchema>(&update)) {
      if (current->schema_id == -1) current->schema_id = schema_again;
    } else if (auto* used_spec = std::get_if<iceberg::SetDefaultSpec>(&update)) {
      if (used_spec->spec_id == -1) used_spec->spec_id = spec_again;
    } else if (auto* used_order = std::get_if<iceberg::SetDefaultSortOrder>(&update)) {
      if (used_order->order_id == -1) used_order->order_id = order_again;
    }
  }
  return updates;
}

Json CommitRequestToJson(const iceberg::CommitRequest& request, const iceberg::TableMetadata* base) {
  Json json = {{"identifier", TableIdentToJson(request.table)}};
  Json& requirements = json["requirements"] = Json::array();
  for (const auto& requirement : request.requirements) requirements.push_back(RequirementToJson(requirement));
  Json& updates = json["updates"] = Json::array();
  for (const auto& update : base == nullptr ? request.updates : WithIdsOfAdded(request.updates, *base)) {
    Json& added = updates.emplace_back(UpdateToJson(update));
    const auto last_id = added.find("last-column-id");
    if (base == nullptr || last_id == added.end()) continue;
    // Never less than before: the field with the highest id may be gone.
    *last_id = std::max(last_id->get<iceberg::FieldId>(), base->last_column_id);
  }
  return json;
}

Json NewTableToJson(const std::string& name, const iceberg::NewTable& table, bool stage_create) {
  Json json = {{"name", name}};
  if (!table.location.empty()) json["location"] = table.location;
  json["schema"] = iceberg::SchemaToJson(table.schema);
  json["partition-spec"] = iceberg::PartitionSpecToJson(table.spec);
  if (!table.sort_order.fields.empty()) json["write-order"] = iceberg::SortOrderToJson(table.sort_order);
  json["stage-create"] = stage_create;
  Json properties = Json(table.properties);
  if (properties.is_null()) properties = Json::object();
  properties["format-version"] = std::to_string(table.format_version);
  json["properties"] = std::move(properties);
  return json;
}

bool HasIdsAsServersGiveThem(const iceberg::NewTable& table) {
  iceberg::FieldId next = 1;
  if (!AreNumberedInOrder(table.schema.fields, next)) return false;
  int32_t next_partition = 1000;
  for (const iceberg::PartitionField& field : table.spec.fields) {
    if (field.field_id != next_partition++) return false;
  }
  return true;
}

std::vector<iceberg::Update> UpdatesToCreate(const iceberg::NewTable& table, const iceberg::TableMetadata& staged) {
  iceberg::SortOrder order = table.sort_order;
  if (!order.fields.empty() && order.order_id == 0) order.order_id = 1;
  iceberg::Properties properties = staged.properties;
  for (const auto& [key, value] : table.properties) properties[key] = value;
  properties.erase("format-version");
  return {iceberg::AssignUuid{staged.table_uuid}, iceberg::UpgradeFormatVersion{table.format_version},
          iceberg::AddSchema{table.schema},       iceberg::SetCurrentSchema{-1},
          iceberg::AddPartitionSpec{table.spec},  iceberg::SetDefaultSpec{-1},
          iceberg::AddSortOrder{order},           iceberg::SetDefaultSortOrder{-1},
          iceberg::SetLocation{staged.location},  iceberg::SetProperties{properties}};
}

Result<CatalogConfigAnswer> ReadCatalogConfig(std::string_view text) {
  TRY(const Json json, ParseObject(text));
  CatalogConfigAnswer answer;
  TRY(answer.defaults, ReadSettings(json, "defaults"));
  TRY(answer.overrides, ReadSettings(json, "overrides"));
  if (FindMember(json, "endpoints") != nullptr) {
    TRY(const auto endpoints, MemberArray<std::string>(json, "endpoints", JsonValue<std::string>));
    answer.endpoints = std::set<std::string>(endpoints.begin(), endpoints.end());
  }
  answer.takes_idempotency_keys = FindMember(json, "idempotency-key-lifetime") != nullptr;
  return answer;
}

Result<TableAnswer> ReadTable(std::string_view text) {
  TRY(const Json json, ParseObject(text));
  TableAnswer answer;
  TRY(const auto location, OptionalMember<std::string>(json, "metadata-location"));
  answer.metadata_location = location.value_or("");
  const Json* metadata = FindMember(json, "metadata");
  if (metadata == nullptr) return MakeError(ErrorKind::kCorrupt, "metadata: the member is missing");
  TRY(answer.metadata, iceberg::TableMetadataFromJson(*metadata).Context("metadata"));
  TRY(answer.config, ReadSettings(json, "config"));
  TRY(answer.storage_credentials, ReadCredentials(json));
  return answer;
}

Result<std::vector<StorageCredential>> ReadStorageCredentials(std::string_view text) {
  TRY(const Json json, ParseObject(text));
  return ReadCredentials(json);
}

Result<Page<iceberg::TableIdent>> ReadTables(std::string_view text) {
  TRY(const Json json, ParseObject(text));
  Page<iceberg::TableIdent> page;
  TRY(page.items,
      MemberArray<iceberg::TableIdent>(json, "identifiers", [](const Json& item) -> Result<iceberg::TableIdent> {
        iceberg::TableIdent ident;
        TRY(const Json levels, Member<Json>(item, "namespace"));
        TRY(ident.namespace_levels, ReadLevels(levels).Context("namespace"));
        TRY(ident.name, Member<std::string>(item, "name"));
        return ident;
      }));
  TRY(const auto token, OptionalMember<std::string>(json, "next-page-token"));
  page.next_page_token = token.value_or("");
  return page;
}

Result<Page<std::vector<std::string>>> ReadNamespaces(std::string_view text) {
  TRY(const Json json, ParseObject(text));
  Page<std::vector<std::string>> page;
  TRY(page.items, MemberArray<std::vector<std::string>>(json, "namespaces", ReadLevels));
  TRY(const auto token, OptionalMember<std::string>(json, "next-page-token"));
  page.next_page_token = token.value_or("");
  return page;
}

std::optional<ErrorAnswer> ReadError(std::string_view text) {
  const auto json = iceberg::ParseJson(text);
  if (!json) return std::nullopt;
  const Json* error = FindMember(*json, "error");
  if (error == nullptr) return std::nullopt;
  const auto message = OptionalMember<std::string>(*error, "message");
  const auto type = OptionalMember<std::string>(*error, "type");
  return ErrorAnswer{.message = message ? message->value_or("") : "", .type = type ? type->value_or("") : ""};
}

Result<TokenAnswer> ReadToken(std::string_view text) {
  TRY(const Json json, ParseObject(text));
  TokenAnswer answer;
  TRY(answer.access_token, Member<std::string>(json, "access_token"));
  TRY(answer.expires_in_seconds, OptionalMember<int64_t>(json, "expires_in"));
  return answer;
}

std::string ReadTokenError(std::string_view text) {
  const auto json = iceberg::ParseJson(text);
  if (!json) return "";
  const auto error = OptionalMember<std::string>(*json, "error");
  if (!error || !*error) {
    const auto answer = ReadError(text);  // Iceberg's own form.
    return answer ? answer->message : "";
  }
  const auto description = OptionalMember<std::string>(*json, "error_description");
  return description && *description ? **error + ": " + **description : **error;
}

}  // namespace firn::catalog::rest
