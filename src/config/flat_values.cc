#include "config/flat_values.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "base/trim.h"
#include "config/duration.h"
#include "config/suggestion.h"
#include "observe/redact.h"

namespace firn::config {
namespace {

/// The names that may stand in a section, in the table's order; "*" where the user chooses them.
std::vector<std::string> NamesIn(std::string_view section) {
  std::vector<std::string> names;
  for (const ConfigKey& key : ConfigKeys()) {
    std::string_view rest = key.path;
    if (!section.empty()) {
      if (!rest.starts_with(section) || rest.size() <= section.size() || rest[section.size()] != '.') continue;
      rest.remove_prefix(section.size() + 1);
    }
    std::string name(rest.substr(0, rest.find('.')));
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

std::string Join(std::string_view section, std::string_view name) {
  return section.empty() ? std::string(name) : fmt::format("{}.{}", section, name);
}

std::string Shown(const ConfigKey& key, const std::string& text) {
  return key.secret ? "the value" : fmt::format("'{}'", RedactSecrets(text));
}

std::string Listed(const std::vector<std::string_view>& allowed) {
  std::string text;
  for (size_t i = 0; i < allowed.size(); ++i) {
    if (i > 0) text += i + 1 == allowed.size() ? " or " : ", ";
    text += allowed[i];
  }
  return text;
}

std::optional<int64_t> ParseInteger(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// What is wrong with a scalar of this key, or nothing.
std::optional<std::string> CheckScalar(const ConfigKey& key, const std::string& text) {
  switch (key.type) {
    case KeyType::kInteger: {
      const auto value = ParseInteger(text);
      if (!value) return fmt::format("expected {}, found {}", ToString(key.type), Shown(key, text));
      if (key.allowed.empty() && (*value < key.min || *value > key.max)) {
        return fmt::format("{} is out of range; it must be from {} to {}", *value, key.min, key.max);
      }
      break;
    }
    case KeyType::kBoolean:
      if (text != "true" && text != "false") {
        return fmt::format("expected {}, found {}", ToString(key.type), Shown(key, text));
      }
      break;
    case KeyType::kDuration:
      if (!ParseDuration(text)) return fmt::format("expected {}, found {}", ToString(key.type), Shown(key, text));
      break;
    case KeyType::kText:
    case KeyType::kTextList:
    case KeyType::kTextMap:
      break;
  }
  if (!key.allowed.empty() && std::ranges::find(key.allowed, text) == key.allowed.end()) {
    const std::vector<std::string> allowed(key.allowed.begin(), key.allowed.end());
    const auto suggestion = Suggest(text, allowed);
    return fmt::format("{} is not allowed; use {}{}", Shown(key, text), Listed(key.allowed),
                       suggestion ? fmt::format(" (did you mean '{}'?)", *suggestion) : "");
  }
  return std::nullopt;
}

/// Walks one YAML document.
class YamlReader {
 public:
  YamlReader(std::string origin_name, bool has_lines, const Environment* expand_from, FlatValues& values,
             Problems& problems)
      : origin_name_(std::move(origin_name)),
        has_lines_(has_lines),
        expand_from_(expand_from),
        values_(values),
        problems_(problems) {}

  /// `section` is a path of the key table; `path` is the same with the user's names in place of "*".
  void ReadSection(const YAML::Node& node, const std::string& section, const std::string& path,
                   const std::string& table) {
    if (node.IsNull()) return;  // "source:" with every key commented out
    if (!node.IsMap()) {
      if (path.empty()) {
        problems_.Add(At(node), "expected keys and values, as in 'source: …'");
      } else {
        problems_.Add(At(node), "{}: expected keys and values below it", path);
      }
      return;
    }
    std::map<std::string, int> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) {
        problems_.Add(At(entry.first), "a key must be a name");
        continue;
      }
      const std::string& name = entry.first.Scalar();
      const auto [first, is_new] = seen.emplace(name, entry.first.Mark().line + 1);
      if (!is_new) {
        problems_.Add(At(entry.first), "'{}' is given twice{}", Join(path, name),
                      has_lines_ ? fmt::format(" (first in line {})", first->second) : "");
        continue;
      }
      ReadEntry(entry.first, entry.second, section, path, table);
    }
  }

  void ReadValue(const YAML::Node& node, const ConfigKey& key, const std::string& path, const std::string& table) {
    if (node.IsNull() && node.Tag().size() <= 1) {
      // "tables:" with nothing: the default. But a bare null is nothing, too, which is not what it looks like.
      if (std::ranges::find(key.allowed, "null") != key.allowed.end()) {
        problems_.Add(At(node), "{}: there is no value; for the word null write \"null\", in quotes", path);
      }
      return;
    }
    FlatValue value{.key = &key, .table = table, .origin = At(node)};
    switch (key.type) {
      case KeyType::kTextList: {
        if (!node.IsSequence()) return WrongShape(node, key, path);
        TextList list;
        for (const YAML::Node& item : node) {
          if (auto text = Scalar(item, path)) list.push_back(*std::move(text));
        }
        value.data = std::move(list);
        break;
      }
      case KeyType::kTextMap: {
        if (!node.IsMap()) return WrongShape(node, key, path);
        TextMap map;
        for (const auto& entry : node) {
          auto name = Scalar(entry.first, path);
          auto text = Scalar(entry.second, path);
          if (!name || !text) continue;
          if (!map.emplace(*name, *text).second) {
            problems_.Add(At(entry.first), "{}: '{}' is given twice", path, *name);
          }
        }
        value.data = std::move(map);
        break;
      }
      default: {
        if (node.IsSequence() || node.IsMap()) return WrongShape(node, key, path);
        auto text = Scalar(node, path);
        if (!text) return;
        if (const auto wrong = CheckScalar(key, *text)) {
          problems_.Add(value.origin, "{}: {}", path, *wrong);
          return;
        }
        value.data = *std::move(text);
      }
    }
    values_.insert_or_assign(path, std::move(value));
  }

 private:
  Origin At(const YAML::Node& node) const {
    const YAML::Mark mark = node.Mark();
    return {origin_name_, has_lines_ && !mark.is_null() ? mark.line + 1 : 0};
  }

  void ReadEntry(const YAML::Node& name_node, const YAML::Node& value, const std::string& section,
                 const std::string& path, const std::string& table) {
    const std::string& name = name_node.Scalar();
    const std::vector<std::string> known = NamesIn(section);
    const std::string value_path = Join(path, name);
    if (known.size() == 1 && known.front() == "*") {
      ReadSection(value, Join(section, "*"), value_path, name);
    } else if (std::ranges::find(known, name) == known.end()) {
      problems_.Add(At(name_node), "unknown key '{}'{}", value_path, Hint(name, section, known));
    } else if (const ConfigKey* key = FindKey(Join(section, name)); key != nullptr) {
      ReadValue(value, *key, value_path, table);
    } else {
      ReadSection(value, Join(section, name), value_path, table);
    }
  }

  static std::string Hint(const std::string& name, const std::string& section, const std::vector<std::string>& known) {
    // The right name in the wrong section is the likelier mistake when the name is exact.
    for (const ConfigKey& key : ConfigKeys()) {
      if (key.path.ends_with(name) && key.path.size() > name.size() &&
          key.path[key.path.size() - name.size() - 1] == '.') {
        return fmt::format(" (did you mean '{}'?)", key.path);
      }
    }
    if (const auto near = Suggest(name, known)) return fmt::format(" (did you mean '{}'?)", Join(section, *near));
    return section.empty() ? "" : fmt::format(" ('{}' has {})", section, fmt::join(known, ", "));
  }

  void WrongShape(const YAML::Node& node, const ConfigKey& key, const std::string& path) {
    const std::string_view found = node.IsSequence() ? "a list" : node.IsMap() ? "a map" : "a single value";
    const std::string_view hint =
        !node.IsScalar() && key.type == KeyType::kText ? "; put quotes around a text that starts with '{' or '['" : "";
    problems_.Add(At(node), "{}: expected {}, found {}{}", path, ToString(key.type), found, hint);
  }

  /// The text of a scalar with its variables expanded.
  std::optional<std::string> Scalar(const YAML::Node& node, const std::string& path) {
    const std::string& tag = node.Tag();
    if (tag.size() > 1 && tag.front() == '!') {
      problems_.Add(At(node), "{}: put quotes around a text that starts with '!'", path);
      return std::nullopt;
    }
    if (!node.IsScalar()) {
      problems_.Add(At(node), "{}: expected a text{}", path, node.IsNull() ? "; put quotes around the word null" : "");
      return std::nullopt;
    }
    if (expand_from_ == nullptr) return node.Scalar();
    auto text = ExpandVariables(node.Scalar(), *expand_from_);
    if (!text) {
      problems_.Add(At(node), "{}: {}", path, text.error().message());
      return std::nullopt;
    }
    return *std::move(text);
  }

  const std::string origin_name_;
  const bool has_lines_;
  const Environment* const expand_from_;  ///< Null: variables stay as they are.
  FlatValues& values_;
  Problems& problems_;
};

/// YAML allows tabs between values, but not before them, where they may look like the spaces that they are not.
bool StartsWithTab(std::string_view yaml, int line) {
  for (; line > 0 && !yaml.empty(); --line) {
    const size_t end = yaml.find('\n');
    yaml.remove_prefix(end == std::string_view::npos ? yaml.size() : end + 1);
  }
  const std::string_view start = yaml.substr(0, yaml.find_first_not_of(" \t"));
  return start.find('\t') != std::string_view::npos;
}

/// yaml-cpp throws; this is the only place that calls its parser.
std::optional<YAML::Node> Parse(const std::string& yaml, const std::string& origin_name, bool has_lines,
                                Problems& problems) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(yaml);
    if (documents.size() > 1) {
      problems.Add({origin_name, has_lines ? documents[1].Mark().line + 1 : 0},
                   "a second YAML document; firn reads one ('---' starts a new one)");
    }
    return documents.empty() ? YAML::Node() : documents.front();
  } catch (const YAML::Exception& error) {
    const bool has_mark = has_lines && !error.mark.is_null();
    const bool has_tab = !error.mark.is_null() && StartsWithTab(yaml, error.mark.line);
    problems.Add({origin_name, has_mark ? error.mark.line + 1 : 0}, "not valid YAML: {}{}", error.msg,
                 has_tab ? "; the line starts with a tab, and YAML takes only spaces there" : "");
    return std::nullopt;
  }
}

/// "a,b" → [a, b]; "k=v,l=w" → {k: v, l: w}: the plain forms of lists and maps in a variable.
YAML::Node PlainForm(const ConfigKey& key, std::string_view text) {
  YAML::Node node(key.type == KeyType::kTextList ? YAML::NodeType::Sequence : YAML::NodeType::Map);
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view item = Trim(text.substr(0, comma));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    if (item.empty()) continue;
    if (key.type == KeyType::kTextList) {
      node.push_back(std::string(item));
    } else {
      const size_t equals = item.find('=');
      const std::string_view value = equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1);
      node[std::string(Trim(item.substr(0, equals)))] = std::string(Trim(value));
    }
  }
  return node;
}

void ReadVariable(const ConfigKey& key, const std::string& name, const std::string& text, FlatValues& values,
                  Problems& problems) {
  YamlReader reader(name, /*has_lines=*/false, /*expand_from=*/nullptr, values, problems);
  YAML::Node node;
  if (key.type != KeyType::kTextList && key.type != KeyType::kTextMap) {
    node = YAML::Node(text);
  } else if (text.starts_with('[') || text.starts_with('{')) {
    const auto parsed = Parse(text, name, /*has_lines=*/false, problems);
    if (!parsed) return;
    node.reset(*parsed);
  } else {
    node.reset(PlainForm(key, text));
  }
  reader.ReadValue(node, key, std::string(key.path), /*table=*/"");
}

}  // namespace

bool ReadYaml(const std::string& yaml, const std::string& file_name, const Environment& environment, FlatValues& values,
              Problems& problems) {
  const auto root = Parse(yaml, file_name, /*has_lines=*/true, problems);
  if (!root) return false;
  YamlReader(file_name, /*has_lines=*/true, &environment, values, problems).ReadSection(*root, "", "", "");
  return true;
}

void ReadEnvironment(const Environment& environment, FlatValues& values, Problems& problems) {
  std::set<std::string> known_set;
  for (const ConfigKey& key : ConfigKeys()) {
    const std::string name = EnvironmentName(key);
    if (!known_set.insert(name).second) continue;  // FIRN_TABLES
    const auto found = environment.find(name);
    if (found == environment.end() || found->second.empty()) continue;
    if (name == "FIRN_TABLES") {
      const auto root = Parse(found->second, name, /*has_lines=*/false, problems);
      YamlReader reader(name, /*has_lines=*/false, /*expand_from=*/nullptr, values, problems);
      if (root) reader.ReadSection(*root, "tables", "tables", "");
    } else {
      ReadVariable(key, name, found->second, values, problems);
    }
  }
  // Other FIRN_ variables may be somebody else's (Kubernetes makes FIRN_SERVICE_HOST for a service named firn), so only
  // what is one slip away from a known name is a mistake.
  for (const auto& [name, text] : environment) {
    if (!name.starts_with("FIRN_") || known_set.contains(name)) continue;
    for (const std::string& known : known_set) {
      if (EditDistance(name, known) == 1) {
        problems.Add({name}, "unknown variable (did you mean '{}'?)", known);
        break;
      }
    }
  }
}

}  // namespace firn::config
