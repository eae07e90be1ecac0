#include "catalog/glue/glue_table_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <optional>
#include <set>

#include "catalog/glue/glue_json.h"

namespace firn::catalog {
namespace {

using iceberg::Field;
using iceberg::Type;
using iceberg::TypeId;
using nlohmann::json;

constexpr char kTableType[] = "table_type";
constexpr char kMetadataLocation[] = "metadata_location";
constexpr char kPreviousMetadataLocation[] = "previous_metadata_location";
/// Glue's limit of a comment, in characters; counted in bytes here, which is never more.
constexpr size_t kCommentBytesMax = 255;
/// Glue's limit of a table's description.
constexpr size_t kDescriptionBytesMax = 2'048;

/// At most `bytes_max` bytes, cut before a character and not inside one.
std::string Shortened(const std::string& text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

const json& MemberOf(const json& object, const char* key) {
  static const json kNull;
  if (!object.is_object()) return kNull;
  const auto member = object.find(key);
  return member == object.end() ? kNull : *member;
}

/// The columns of the current schema, then those that only older ones have, each name once.
json MakeColumns(const iceberg::TableMetadata& metadata, const json& existing) {
  std::map<std::string, std::string> old_comments;
  for (const json& column : MemberOf(MemberOf(existing, "StorageDescriptor"), "Columns")) {
    if (const std::string comment = TextOf(column, "Comment"); !comment.empty()) {
      old_comments.emplace(TextOf(column, "Name"), comment);
    }
  }
  json columns = json::array();
  std::set<std::string> names;
  const auto add = [&](const Field& field, bool is_current) {
    if (!names.insert(field.name).second) return;
    json column = {{"Name", field.name},
                   {"Type", GlueTypeName(field.type)},
                   {"Parameters",
                    {{"iceberg.field.id", std::to_string(field.id)},
                     {"iceberg.field.optional", field.required ? "false" : "true"},
                     {"iceberg.field.current", is_current ? "true" : "false"}}}};
    const auto old_comment = old_comments.find(field.name);
    if (!field.doc.empty()) {
      column["Comment"] = Shortened(field.doc, kCommentBytesMax);
    } else if (old_comment != old_comments.end()) {
      column["Comment"] = old_comment->second;
    }
    columns.push_back(std::move(column));
  };
  for (const Field& field : metadata.CurrentSchema().fields) add(field, true);
  for (const iceberg::Schema& schema : metadata.schemas) {
    if (schema.schema_id == metadata.current_schema_id) continue;
    for (const Field& field : schema.fields) add(field, false);
  }
  return columns;
}

}  // namespace

std::string GlueTypeName(const Type& type) {
  switch (type.id) {
    case TypeId::kBoolean:
      return "boolean";
    case TypeId::kInt:
      return "int";
    case TypeId::kLong:
      return "bigint";
    case TypeId::kFloat:
      return "float";
    case TypeId::kDouble:
      return "double";
    case TypeId::kDecimal:
      return fmt::format("decimal({},{})", type.precision, type.scale);
    case TypeId::kDate:
      return "date";
    case TypeId::kTime:
    case TypeId::kString:
    case TypeId::kUuid:
      return "string";
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
      return "timestamp";
    case TypeId::kTimestampNs:
    case TypeId::kTimestampTzNs:
      return "timestamp_nano";
    case TypeId::kFixed:
    case TypeId::kBinary:
      return "binary";
    case TypeId::kVariant:
      return "variant";
    case TypeId::kUnknown:
      return "unknown";
    case TypeId::kGeometry:
      return "geometry";
    case TypeId::kGeography:
      return "geography";
    case TypeId::kList:
      return fmt::format("array<{}>", GlueTypeName(type.fields[0].type));
    case TypeId::kMap:
      return fmt::format("map<{},{}>", GlueTypeName(type.fields[0].type), GlueTypeName(type.fields[1].type));
    case TypeId::kStruct: {
      std::string members;
      for (const Field& field : type.fields) {
        members += fmt::format("{}{}:{}", members.empty() ? "" : ",", field.name, GlueTypeName(field.type));
      }
      return fmt::format("struct<{}>", members);
    }
  }
  return "unknown";
}

json MakeTableInput(const std::string& name, const iceberg::TableMetadata& metadata,
                    const std::string& metadata_location, const json& existing) {
  json parameters = MemberOf(existing, "Parameters");
  if (!parameters.is_object()) parameters = json::object();
  if (const std::string previous = TextOf(parameters, kMetadataLocation); !previous.empty()) {
    parameters[kPreviousMetadataLocation] = previous;
  }
  parameters[kTableType] = "ICEBERG";
  parameters[kMetadataLocation] = metadata_location;

  json storage = {{"Location", metadata.location}, {"Columns", MakeColumns(metadata, existing)}};
  std::set<std::string> other_locations;
  for (const char* key :
       {"write.data.path", "write.metadata.path", "write.object-storage.path", "write.folder-storage.path"}) {
    if (const auto property = metadata.properties.find(key); property != metadata.properties.end()) {
      other_locations.insert(property->second);
    }
  }
  if (!other_locations.empty()) storage["AdditionalLocations"] = other_locations;

  json input = {{"Name", name},
                {"TableType", "EXTERNAL_TABLE"},
                {"Parameters", std::move(parameters)},
                {"StorageDescriptor", std::move(storage)}};
  const auto comment = metadata.properties.find("comment");
  const std::string description =
      comment == metadata.properties.end() ? TextOf(existing, "Description") : comment->second;
  if (!description.empty()) input["Description"] = Shortened(description, kDescriptionBytesMax);
  if (const std::string owner = TextOf(existing, "Owner"); !owner.empty()) input["Owner"] = owner;
  return input;
}

json RenamedTableInput(const std::string& name, const json& existing) {
  json input = {{"Name", name}};
  for (const char* key : {"TableType", "Owner", "Description", "Parameters", "StorageDescriptor"}) {
    if (const json& member = MemberOf(existing, key); !member.is_null()) input[key] = member;
  }
  return input;
}

std::optional<std::string> MetadataLocationOf(const json& table) {
  const json& parameters = MemberOf(table, "Parameters");
  const std::string type = TextOf(parameters, kTableType);
  const bool is_iceberg = std::ranges::equal(type, std::string_view("iceberg"),
                                             [](unsigned char a, unsigned char b) { return std::tolower(a) == b; });
  const std::string location = TextOf(parameters, kMetadataLocation);
  return is_iceberg && !location.empty() ? std::optional(location) : std::nullopt;
}

}  // namespace firn::catalog
