#include "config/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/try.h"
#include "config/check_values.h"
#include "config/config_keys.h"
#include "config/flat_values.h"

namespace firn::config {
namespace {

/// Puts a checked value where its key says.
struct Assign {
  Config& config;
  const FlatValue& value;

  const std::string& text() const { return std::get<std::string>(value.data); }
  template <typename Integer>
  Integer number() const {
    Integer number = 0;
    std::from_chars(text().data(), text().data() + text().size(), number);
    return number;
  }
  /// The key's path below its section of `depth` names.
  std::string Rest(int depth) const {
    std::string_view path = value.key->path;
    for (int i = 0; i < depth; ++i) path.remove_prefix(path.find('.') + 1);
    return std::string(path);
  }

  void operator()(ConfigField<std::string> field) const { field(config) = text(); }
  void operator()(ConfigField<int> field) const { field(config) = number<int>(); }
  void operator()(ConfigField<int64_t> field) const { field(config) = number<int64_t>(); }
  void operator()(ConfigField<bool> field) const { field(config) = text() == "true"; }
  void operator()(ConfigField<TextList> field) const { field(config) = std::get<TextList>(value.data); }
  void operator()(ConfigField<TextMap> field) const { field(config) = std::get<TextMap>(value.data); }
  void operator()(TableField<std::string> field) const { field(config.tables[value.table]) = text(); }
  void operator()(TableField<std::optional<TextList>> field) const {
    field(config.tables[value.table]) = std::get<TextList>(value.data);
  }
  void operator()(TableField<TextMap> field) const {
    field(config.tables[value.table]) = std::get<TextMap>(value.data);
  }
  void operator()(CatalogOption) const { config.catalog.options[Rest(1)] = text(); }
  void operator()(StorageOption) const {
    const std::string store_and_key = Rest(1);
    config.storage[store_and_key.substr(0, store_and_key.find('.'))][Rest(2)] = text();
  }
};

Result<std::string> ReadFile(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  // An empty file sets failbit on `content`; a directory opens, and fails at its first byte.
  if (file.is_open() && (file.peek() == std::ifstream::traits_type::eof() || content << file.rdbuf()) && !file.bad()) {
    return std::move(content).str();
  }
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return MakeError(ErrorKind::kInvalidConfig,
                     "cannot read the configuration {}: Is a directory (this command takes the file of one pipeline)",
                     path);
  }
  return MakeError(ErrorKind::kInvalidConfig,
                   "cannot read the configuration {}: {} ('firn config example' prints one to start from)", path,
                   errno != 0 ? std::strerror(errno) : "reading failed");
}

/// Where the state of a warehouse that is a URI is kept, below a state_dir that others use, too.
std::string FolderOfWarehouse(const std::string& state_dir, std::string_view uri) {
  std::string folder = state_dir + "/warehouses";
  for (size_t start = 0; start < uri.size();) {
    const size_t end = std::min(uri.find('/', start), uri.size());
    std::string_view name = uri.substr(start, end - start);
    if (start == 0 && name.ends_with(':')) name.remove_suffix(1);  // "s3:"
    if (name == "." || name == "..") {
      folder += fmt::format("/_{}", name);
    } else if (!name.empty()) {
      folder += fmt::format("/{}", name);
    }
    start = end + 1;
  }
  return folder;
}

/// The values where they belong.
Config Assigned(const FlatValues& values) {
  Config config;
  for (const auto& [path, value] : values) {
    std::visit(Assign{config, value}, value.key->field);
    config.origins.emplace(path, value.origin.Text());
  }
  return config;
}

/// `missing`: the origin of what was not given.
FindOrigin OriginsIn(const FlatValues& values, FindOrigin missing) {
  return [&values, missing = std::move(missing)](std::string_view path) -> Origin {
    for (auto it = values.lower_bound(std::string(path)); it != values.end() && it->first.starts_with(path); ++it) {
      return it->second.origin;
    }
    return missing(path);
  };
}

/// Assigned, checked, and with the defaults that depend on others.
Config FromValues(const FlatValues& values, const Environment& environment, FindOrigin missing, Problems& problems) {
  Config config = Assigned(values);
  const FindOrigin origin_of = OriginsIn(values, std::move(missing));
  NameShard(config, origin_of, problems);
  CheckValues(config, origin_of, problems);
  FillDerivedDefaults(config, environment, origin_of, problems);
  return config;
}

bool IsOfLake(std::string_view path) { return path.starts_with("catalog.") || path.starts_with("storage."); }

}  // namespace

Result<Config> ParseConfig(const std::string& yaml, const std::string& file_name,
                           const std::map<std::string, std::string>& environment) {
  Problems problems;
  FlatValues values;
  if (!ReadYaml(yaml, file_name, environment, values, problems)) return std::move(problems).ToError();
  ReadEnvironment(environment, values, problems);

  Config config = FromValues(values, environment, [&](std::string_view) -> Origin { return {file_name}; }, problems);
  if (!problems.empty()) return std::move(problems).ToError();
  return config;
}

Result<Config> ParseLakeConfig(const std::string& yaml, const std::string& file_name,
                               const std::map<std::string, std::string>& environment) {
  Problems problems;
  FlatValues values;
  if (!ReadYaml(yaml, file_name, environment, values, problems)) return std::move(problems).ToError();
  for (const auto& [path, value] : values) {
    if (!IsOfLake(path)) problems.Add(value.origin, "{}: only catalog and storage are set here", path);
  }
  Environment of_lake = environment;
  std::erase_if(of_lake, [](const auto& variable) {
    const std::string& name = variable.first;
    return name.starts_with("FIRN_") && !name.starts_with("FIRN_CATALOG_") && !name.starts_with("FIRN_STORAGE_");
  });
  ReadEnvironment(of_lake, values, problems);

  Config config = Assigned(values);
  const FindOrigin origin_of = OriginsIn(values, [&](std::string_view) -> Origin { return {file_name}; });
  CheckLakeValues(config, origin_of, problems);
  FillLakeDefaults(config, environment, origin_of, problems);
  if (!problems.empty()) return std::move(problems).ToError();
  return config;
}

Result<Config> LoadConfig(const std::string& path) {
  TRY(const std::string yaml, ReadFile(path));
  return ParseConfig(yaml, path, ProcessEnvironment());
}

Result<Config> MakeDirectConfig(const std::string& source_url, const std::string& warehouse,
                                const std::vector<std::string>& tables, const Environment& environment) {
  Problems problems;
  FlatValues values;
  ReadEnvironment(environment, values, problems);
  const auto set = [&](const std::string& path, std::string_view option, auto data) {
    values.insert_or_assign(path,
                            FlatValue{.key = FindKey(path), .origin = {std::string(option)}, .data = std::move(data)});
  };
  set("source.url", "--source", source_url);
  set("catalog.warehouse", "--warehouse", warehouse);
  if (!tables.empty()) set("source.tables", "--tables", tables);

  const auto type = values.find("catalog.type");
  const bool is_sql = type == values.end() || std::get<std::string>(type->second.data) == "sql";
  const bool is_folder = is_sql && (warehouse.find("://") == std::string::npos || warehouse.starts_with("file:"));
  const bool has_state_dir = values.contains("state_dir");
  const bool has_catalog = !is_sql || is_folder || values.contains("catalog.uri");
  // What stands for both until it is known where they go.
  if (is_folder && !has_state_dir) set("state_dir", "--warehouse", std::string("-"));
  if (!has_catalog) set("catalog.uri", "--warehouse", std::string("sqlite:///-"));
  Config config = FromValues(values, environment, [](std::string_view) -> Origin { return {"--warehouse"}; }, problems);
  if (!problems.empty()) return std::move(problems).ToError();
  if (!has_state_dir) {
    config.state_dir = is_folder ? config.catalog.warehouse + "/.firn" : FolderOfWarehouse(config.state_dir, warehouse);
  }
  if (is_folder && !has_state_dir) config.origins.erase("state_dir");
  if (!has_catalog) {
    config.origins.erase("catalog.uri");
    std::error_code ignored;  // Without a current directory the path stays relative, and opening it tells why.
    const std::filesystem::path folder = std::filesystem::absolute(config.state_dir, ignored);
    config.catalog.uri =
        fmt::format("sqlite://{}/catalog.db", (ignored ? config.state_dir : folder.lexically_normal().string()));
  }
  return config;
}

Error Located(const Config& config, Error error) {
  const std::string& message = error.message();
  const std::string* place = nullptr;
  size_t longest = 0;
  for (const auto& [path, origin] : config.origins) {
    const bool ends_there = message.size() == path.size() || message.find_first_of(": ", path.size()) == path.size();
    if (!message.starts_with(path) || !ends_there || path.size() < longest) continue;
    longest = path.size();
    place = &origin;
  }
  return place == nullptr ? error : std::move(error).WithContext(*place);
}

}  // namespace firn::config
