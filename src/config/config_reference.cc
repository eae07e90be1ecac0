#include "config/config_reference.h"

#include <fmt/format.h>

#include "config/config_keys.h"

namespace firn::config {
namespace {

std::string_view SectionOf(const ConfigKey& key) {
  return key.path.starts_with("tables.") ? "tables" : key.path.substr(0, key.path.rfind('.'));
}

std::string Row(const ConfigKey& key) {
  std::string meaning(key.doc);
  if (!key.allowed.empty()) meaning += fmt::format(" One of `{}`.", fmt::join(key.allowed, "`, `"));
  if (key.type == KeyType::kInteger && key.allowed.empty()) meaning += fmt::format(" From {} to {}.", key.min, key.max);
  const std::string default_text = DefaultText(key);
  const std::string shown = key.required                ? "*required*"
                            : !key.default_note.empty() ? std::string(key.default_note)
                            : default_text.empty()      ? "none"
                                                        : fmt::format("`{}`", default_text);
  std::string path(key.path);
  if (const size_t star = path.find('*'); star != std::string::npos) path.replace(star, 1, "NAME");
  return fmt::format("| `{}` | {} | {} | `{}` |\n", path, shown, meaning, EnvironmentName(key));
}

constexpr std::string_view kTableHead = "| Key | Default | Meaning | Environment |\n|---|---|---|---|\n";

}  // namespace

std::string ConfigReference() {
  std::string text;
  for (const ConfigSection& section : ConfigSections()) {
    std::string rows;
    for (const ConfigKey& key : ConfigKeys()) {
      if (key.path.find('.') != std::string_view::npos && SectionOf(key) == section.path) rows += Row(key);
    }
    text += fmt::format("### {}\n\n{}\n\n", section.path, section.doc);
    if (!rows.empty()) text += fmt::format("{}{}\n", kTableHead, rows);
  }
  text += fmt::format("### Without a section\n\n{}", kTableHead);
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.path.find('.') == std::string_view::npos) text += Row(key);
  }
  return text;
}

}  // namespace firn::config
