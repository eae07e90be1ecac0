// Members of Glue's JSON objects. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace firn::catalog {

/// The member's text; empty where there is none, or it is no text.
inline std::string TextOf(const nlohmann::json& object, const char* key) {
  if (!object.is_object()) return "";
  const auto member = object.find(key);
  return member != object.end() && member->is_string() ? member->get<std::string>() : "";
}

}  // namespace firn::catalog
