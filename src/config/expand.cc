#include "config/expand.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>

namespace firn::config {
namespace {

bool IsVariableName(std::string_view name) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name.front())) != 0) return false;
  return std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
}

/// The value of what stands between "${" and "}".
Result<std::string> Lookup(std::string_view inside, const Environment& environment) {
  const size_t separator = inside.find(":-");
  const std::string name(inside.substr(0, separator));
  if (!IsVariableName(name)) {
    return MakeError(
        ErrorKind::kInvalidConfig,
        "'${{' must be followed by the name of an environment variable and '}}' (write $$ for a dollar sign)");
  }
  const auto found = environment.find(name);
  if (separator != std::string_view::npos) {
    if (found == environment.end() || found->second.empty()) return std::string(inside.substr(separator + 2));
    return found->second;
  }
  if (found == environment.end()) {
    return MakeError(ErrorKind::kInvalidConfig,
                     "the environment variable {} is not set; set it, or give a default as in ${{{}:-default}}", name,
                     name);
  }
  return found->second;
}

}  // namespace

Environment ProcessEnvironment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos) environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

Result<std::string> ExpandVariables(std::string_view text, const Environment& environment) {
  std::string out;
  size_t position = 0;
  while (true) {
    const size_t dollar = text.find('$', position);
    if (dollar == std::string_view::npos) break;
    out.append(text.substr(position, dollar - position));
    const std::string_view rest = text.substr(dollar);
    if (rest.starts_with("$$")) {
      out += '$';
      position = dollar + 2;
    } else if (rest.starts_with("${")) {
      const size_t end = rest.find('}');
      if (end == std::string_view::npos) {
        return MakeError(ErrorKind::kInvalidConfig, "'${{' without '}}' (write $$ for a dollar sign)");
      }
      auto value = Lookup(rest.substr(2, end - 2), environment);
      if (!value) return value;
      out += *value;
      position = dollar + end + 1;
    } else {
      out += '$';
      position = dollar + 1;
    }
  }
  out.append(text.substr(position));
  return out;
}

}  // namespace firn::config
