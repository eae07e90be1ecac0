// A configuration before it is a Config: every value that was given, by its full path, checked against its key's type,
// allowed values and range. The file first, the environment over it.
#pragma once

#include <map>
#include <string>
#include <variant>

#include "config/config_keys.h"
#include "config/expand.h"
#include "config/problems.h"

namespace firn::config {

struct FlatValue {
  const ConfigKey* key = nullptr;
  std::string table;  ///< What the "*" of the key's path stands for: "public.orders".
  Origin origin;
  std::variant<std::string, TextList, TextMap> data;  ///< A scalar of any type is its text, as checked.
};
using FlatValues = std::map<std::string, FlatValue>;

/// Adds the values of a YAML text to `values`. What is wrong goes to `problems`; the rest is read all the same. False
/// when the text is no YAML, and nothing could be read.
bool ReadYaml(const std::string& yaml, const std::string& file_name, const Environment& environment, FlatValues& values,
              Problems& problems);
/// Lays the FIRN_… variables over `values`. An empty variable counts as not set.
void ReadEnvironment(const Environment& environment, FlatValues& values, Problems& problems);

}  // namespace firn::config
