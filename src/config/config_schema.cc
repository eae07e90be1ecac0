#include <nlohmann/json.hpp>

#include "config/config.h"
#include "config/config_keys.h"

namespace firn::config {
namespace {

using Json = nlohmann::ordered_json;

/// A number, true or false may also be a text with ${VAR} in it.
constexpr const char* kVariablePattern = R"(\$\{.+\})";

Json KeySchema(const ConfigKey& key) {
  Json schema;
  std::string description = PlainText(key.doc);
  if (key.required) description += " Required, here or in " + EnvironmentName(key) + ".";
  if (!key.default_note.empty()) description += " Default: " + PlainText(key.default_note) + ".";
  schema["description"] = description;
  const std::string default_text = DefaultText(key);
  switch (key.type) {
    case KeyType::kInteger:
      schema["type"] = {"integer", "string"};
      schema["pattern"] = kVariablePattern;
      if (!default_text.empty()) schema["default"] = std::stoll(default_text);
      if (key.allowed.empty()) {
        schema["minimum"] = key.min;
        schema["maximum"] = key.max;
      }
      break;
    case KeyType::kBoolean:
      schema["type"] = {"boolean", "string"};
      schema["pattern"] = kVariablePattern;
      if (!default_text.empty()) schema["default"] = default_text == "true";
      break;
    case KeyType::kTextList:
      schema["type"] = "array";
      schema["items"] = {{"type", "string"}};
      break;
    case KeyType::kTextMap:
      schema["type"] = "object";
      schema["additionalProperties"] = {{"type", "string"}};
      break;
    case KeyType::kDuration:
      schema["pattern"] = std::string("^[0-9]+[smhd]$|") + kVariablePattern;
      [[fallthrough]];
    case KeyType::kText:
      schema["type"] = "string";
      if (key.default_note.empty() && !default_text.empty()) {
        const bool quoted = default_text.front() == '"';
        schema["default"] = quoted ? default_text.substr(1, default_text.size() - 2) : default_text;
      }
      break;
  }
  if (!key.allowed.empty()) {
    Json allowed = Json::array();
    for (const std::string_view value : key.allowed) {
      allowed.push_back(key.type == KeyType::kInteger ? Json(std::stoll(std::string(value))) : Json(value));
    }
    schema["anyOf"] = {{{"enum", allowed}}, {{"type", "string"}, {"pattern", kVariablePattern}}};
    schema.erase("pattern");
  }
  return schema;
}

Json SectionSchema(std::string_view doc) {
  // null: a section whose keys are all commented out.
  return {{"description", PlainText(doc)},
          {"type", {"object", "null"}},
          {"additionalProperties", false},
          {"properties", Json::object()}};
}

/// The schema of the section at `path`, made with its parents where it is missing.
Json& SectionAt(Json& root, std::string_view path) {
  if (path.empty()) return root;
  const size_t dot = path.rfind('.');
  const std::string_view parent = dot == std::string_view::npos ? std::string_view() : path.substr(0, dot);
  const std::string name(path.substr(dot == std::string_view::npos ? 0 : dot + 1));
  Json& above = SectionAt(root, parent);
  if (name == "*") {
    if (!above["additionalProperties"].is_object()) {
      above["additionalProperties"] = SectionSchema("Settings of this table.");
    }
    return above["additionalProperties"];
  }
  Json& section = above["properties"][name];
  if (section.is_null()) {
    std::string_view doc;
    for (const ConfigSection& known : ConfigSections()) {
      if (known.path == path) doc = known.doc;
    }
    section = SectionSchema(doc);
  }
  return section;
}

}  // namespace

std::string ConfigJsonSchema() {
  Json root = SectionSchema("The configuration of firn, which replicates PostgreSQL into Apache Iceberg tables.");
  Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "firn"}};
  schema.update(root);
  schema["type"] = "object";
  for (const ConfigSection& section : ConfigSections()) SectionAt(schema, section.path);
  for (const ConfigKey& key : ConfigKeys()) {
    const size_t dot = key.path.rfind('.');
    const bool has_section = dot != std::string_view::npos;
    Json& section = SectionAt(schema, has_section ? key.path.substr(0, dot) : std::string_view());
    section["properties"][std::string(has_section ? key.path.substr(dot + 1) : key.path)] = KeySchema(key);
  }
  return schema.dump(2);
}

}  // namespace firn::config
