#include "iceberg/schema_json.h"

#include <set>

#include "iceberg/json_member.h"

namespace firn::iceberg {
namespace {

Json FieldToJson(const Field& field) {
  Json json = {{"id", field.id}, {"name", field.name}, {"required", field.required}, {"type", TypeToJson(field.type)}};
  if (!field.doc.empty()) json["doc"] = field.doc;
  if (field.initial_default) json["initial-default"] = Json::parse(*field.initial_default, nullptr, false);
  if (field.write_default) json["write-default"] = Json::parse(*field.write_default, nullptr, false);
  return json;
}

Result<Field> FieldFromJson(const Json& json) {
  Field field;
  TRY(field.id, Member<int32_t>(json, "id"));
  TRY(field.name, Member<std::string>(json, "name"));
  TRY(field.required, Member<bool>(json, "required"));
  TRY(const Json type, Member<Json>(json, "type"));
  TRY(field.type, TypeFromJson(type).Context("field \"{}\"", field.name));
  TRY(auto doc, OptionalMember<std::string>(json, "doc"));
  field.doc = std::move(doc).value_or("");
  if (const Json* value = FindMember(json, "initial-default")) field.initial_default = DumpJson(*value);
  if (const Json* value = FindMember(json, "write-default")) field.write_default = DumpJson(*value);
  return field;
}

/// An element, key or value: its id, type and whether it is required are members of the list or map.
Result<Field> PartFromJson(const Json& json, std::string_view name) {
  Field field{.name = std::string(name), .required = true};
  TRY(field.id, Member<int32_t>(json, fmt::format("{}-id", name)));
  TRY(const Json type, Member<Json>(json, name));
  TRY(field.type, TypeFromJson(type).Context("{}", name));
  if (name != "key") {
    TRY(field.required, Member<bool>(json, fmt::format("{}-required", name)));
  }
  return field;
}

Json FieldsToJson(const std::vector<Field>& fields) {
  Json json = Json::array();
  for (const Field& field : fields) json.push_back(FieldToJson(field));
  return json;
}

Status CheckIdsAreUnique(const std::vector<Field>& fields, std::set<FieldId>& seen) {
  for (const Field& field : fields) {
    if (!seen.insert(field.id).second) return MakeError(ErrorKind::kCorrupt, "field id {} is used twice", field.id);
    TRY_VOID(CheckIdsAreUnique(field.type.fields, seen));
  }
  return {};
}

/// v3 writes a transform of several columns as "source-ids"; firn knows those of one column.
Result<FieldId> SourceIdFromJson(const Json& json) {
  if (FindMember(json, "source-id") != nullptr) return Member<int32_t>(json, "source-id");
  TRY(auto ids, MemberArray<int32_t>(json, "source-ids", JsonValue<int32_t>));
  if (ids.size() == 1) return ids[0];
  if (ids.empty()) return MakeError(ErrorKind::kCorrupt, "source-id: the member is missing");
  return MakeError(ErrorKind::kUnsupported, "source-ids: a transform of several columns");
}

}  // namespace

Json TypeToJson(const Type& type) {
  switch (type.id) {
    // Java writes the space, and every reader takes it.
    case TypeId::kDecimal:
      return fmt::format("decimal({}, {})", type.precision, type.scale);
    case TypeId::kStruct:
      return {{"type", "struct"}, {"fields", FieldsToJson(type.fields)}};
    case TypeId::kList: {
      const Field& element = type.fields.at(0);
      return {{"type", "list"},
              {"element-id", element.id},
              {"element", TypeToJson(element.type)},
              {"element-required", element.required}};
    }
    case TypeId::kMap: {
      const Field& key = type.fields.at(0);
      const Field& value = type.fields.at(1);
      return {{"type", "map"},
              {"key-id", key.id},
              {"key", TypeToJson(key.type)},
              {"value-id", value.id},
              {"value", TypeToJson(value.type)},
              {"value-required", value.required}};
    }
    default:
      return ToString(type);
  }
}

Result<Type> TypeFromJson(const Json& json) {
  if (json.is_string()) return ParsePrimitiveType(json.get_ref<const std::string&>());
  if (!json.is_object()) {
    return MakeError(ErrorKind::kCorrupt, "type: expected a string or an object, found {}", json.type_name());
  }
  TRY(const std::string kind, Member<std::string>(json, "type"));
  if (kind == "struct") {
    TRY(auto fields, MemberArray<Field>(json, "fields", FieldFromJson));
    return Type::Struct(std::move(fields));
  }
  if (kind == "list") {
    TRY(auto element, PartFromJson(json, "element"));
    return Type::List(std::move(element));
  }
  if (kind == "map") {
    TRY(auto key, PartFromJson(json, "key"));
    TRY(auto value, PartFromJson(json, "value"));
    return Type::Map(std::move(key), std::move(value));
  }
  return MakeError(ErrorKind::kUnsupported, "type \"{}\" is not one that firn knows", kind);
}

Json SchemaToJson(const Schema& schema) {
  Json json = {{"type", "struct"}, {"schema-id", schema.schema_id}};
  if (!schema.identifier_field_ids.empty()) json["identifier-field-ids"] = schema.identifier_field_ids;
  json["fields"] = FieldsToJson(schema.fields);
  return json;
}

Result<Schema> SchemaFromJson(const Json& json) {
  Schema schema;
  if (!json.is_object())
    return MakeError(ErrorKind::kCorrupt, "schema: expected an object, found {}", json.type_name());
  TRY(auto schema_id, OptionalMember<int32_t>(json, "schema-id"));
  schema.schema_id = schema_id.value_or(0);
  TRY(schema.fields, MemberArray<Field>(json, "fields", FieldFromJson));
  TRY(const auto identifiers, MemberArray<int32_t>(json, "identifier-field-ids", JsonValue<int32_t>));
  schema.identifier_field_ids = {identifiers.begin(), identifiers.end()};
  std::set<FieldId> seen;
  TRY_VOID(CheckIdsAreUnique(schema.fields, seen));
  for (FieldId id : schema.identifier_field_ids) {
    if (!seen.contains(id)) return MakeError(ErrorKind::kCorrupt, "identifier-field-ids: there is no field {}", id);
  }
  return schema;
}

Json PartitionFieldsToJson(const PartitionSpec& spec) {
  Json json = Json::array();
  for (const PartitionField& field : spec.fields) {
    json.push_back({{"name", field.name},
                    {"transform", ToString(field.transform)},
                    {"source-id", field.source_id},
                    {"field-id", field.field_id}});
  }
  return json;
}

Json PartitionSpecToJson(const PartitionSpec& spec) {
  return {{"spec-id", spec.spec_id}, {"fields", PartitionFieldsToJson(spec)}};
}

Result<PartitionSpec> PartitionSpecFromJson(const Json& json) {
  PartitionSpec spec;
  TRY(spec.spec_id, Member<int32_t>(json, "spec-id"));
  int32_t next_field_id = 1000;
  TRY(spec.fields,
      MemberArray<PartitionField>(json, "fields", [&next_field_id](const Json& item) -> Result<PartitionField> {
        PartitionField field;
        TRY(field.name, Member<std::string>(item, "name"));
        TRY(const auto transform, Member<std::string>(item, "transform"));
        TRY(field.transform, ParseTransform(transform));
        TRY(field.source_id, SourceIdFromJson(item));
        // Missing in metadata that began as v1, where ids count from 1000 by position.
        TRY(auto field_id, OptionalMember<int32_t>(item, "field-id"));
        field.field_id = field_id.value_or(next_field_id);
        ++next_field_id;
        return field;
      }));
  return spec;
}

Json SortOrderToJson(const SortOrder& order) {
  Json fields = Json::array();
  for (const SortField& field : order.fields) {
    fields.push_back({{"transform", ToString(field.transform)},
                      {"source-id", field.source_id},
                      {"direction", field.descending ? "desc" : "asc"},
                      {"null-order", field.nulls_first ? "nulls-first" : "nulls-last"}});
  }
  return {{"order-id", order.order_id}, {"fields", std::move(fields)}};
}

Result<SortOrder> SortOrderFromJson(const Json& json) {
  SortOrder order;
  TRY(order.order_id, Member<int32_t>(json, "order-id"));
  TRY(order.fields, MemberArray<SortField>(json, "fields", [](const Json& item) -> Result<SortField> {
        SortField field;
        TRY(const auto transform, Member<std::string>(item, "transform"));
        TRY(field.transform, ParseTransform(transform));
        TRY(field.source_id, SourceIdFromJson(item));
        TRY(const auto direction, Member<std::string>(item, "direction"));
        TRY(const auto null_order, Member<std::string>(item, "null-order"));
        field.descending = direction == "desc";
        field.nulls_first = null_order == "nulls-first";
        return field;
      }));
  return order;
}

}  // namespace firn::iceberg
