#include <fmt/format.h>

#include "config/config.h"
#include "config/config_keys.h"

namespace firn::config {
namespace {

constexpr size_t kWidth = 100;

/// `text` as comment lines of at most kWidth columns.
std::string Comment(std::string_view text, size_t indent) {
  const std::string start = fmt::format("{:{}}# ", "", indent);
  std::string out;
  std::string line;
  while (!text.empty()) {
    const size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    text = space == std::string_view::npos ? std::string_view() : text.substr(space + 1);
    if (!line.empty() && start.size() + line.size() + 1 + word.size() > kWidth) {
      out += start + line + "\n";
      line.clear();
    }
    if (!line.empty()) line += ' ';
    line += word;
  }
  return out + start + line + "\n";
}

std::string Entry(const ConfigKey& key, size_t indent) {
  std::string doc = PlainText(key.doc);
  if (!key.allowed.empty()) doc += fmt::format(" One of {}.", fmt::join(key.allowed, ", "));
  if (!key.default_note.empty()) doc += fmt::format(" Default: {}.", PlainText(key.default_note));
  const std::string_view name = key.path.substr(key.path.rfind('.') + 1);
  const bool active = !key.example.empty();
  const std::string value = active ? std::string(key.example) : DefaultText(key);
  return Comment(doc, indent) +
         fmt::format("{:{}}{}{}:{}{}\n", "", indent, active ? "" : "# ", name, value.empty() ? "" : " ", value);
}

}  // namespace

std::string ConfigExample() {
  std::string out =
      "# The configuration of firn. What starts with \"# name:\" shows the default; remove the \"# \" to change it.\n"
      "# ${VAR} and ${VAR:-default} take values from the environment; $$ is a dollar sign. docs/configuration.md "
      "tells\n"
      "# more.\n";
  for (const ConfigSection& section : ConfigSections()) {
    if (section.path.find('.') != std::string_view::npos) continue;
    std::string entries;
    for (const ConfigKey& key : ConfigKeys()) {
      const size_t last_dot = key.path.rfind('.');
      if (last_dot == std::string_view::npos || key.path.substr(0, last_dot) != section.path) continue;
      entries += Entry(key, 2);
    }
    if (!entries.empty()) out += fmt::format("\n{}{}:\n{}", Comment(section.doc, 0), section.path, entries);
  }
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.path.find('.') == std::string_view::npos) out += "\n" + Entry(key, 0);
  }
  return out;
}

}  // namespace firn::config
