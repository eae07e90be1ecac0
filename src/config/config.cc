#include "config/config.h"

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

}  // namespace

Result<Config> ParseConfig(const std::string& yaml, const std::string& file_name,
                           const std::map<std::string, std::string>& environment) {
  Problems problems;
  FlatValues values;
  if (!ReadYaml(yaml, file_name, environment, values, problems)) return std::move(problems).ToError();
  ReadEnvironment(environment, values, problems);

  Config config;
  for (const auto& [path, value] : values) std::visit(Assign{config, value}, value.key->field);
  const FindOrigin origin_of = [&](std::string_view path) -> Origin {
    for (auto it = values.lower_bound(std::string(path)); it != values.end() && it->first.starts_with(path); ++it) {
      return it->second.origin;
    }
    return {file_name};
  };
  NameShard(config, origin_of, problems);
  CheckValues(config, origin_of, problems);
  FillDerivedDefaults(config, environment, origin_of, problems);
  if (!problems.empty()) return std::move(problems).ToError();
  return config;
}

Result<Config> LoadConfig(const std::string& path) {
  TRY(const std::string yaml, ReadFile(path));
  return ParseConfig(yaml, path, ProcessEnvironment());
}

Result<Config> MakeDirectConfig(const std::string& source_url, const std::string& warehouse,
                                const std::vector<std::string>& tables) {
  Config config;
  config.source.url = source_url;
  config.source.tables = tables;
  config.catalog.warehouse = warehouse;

  const FindOrigin origin_of = [](std::string_view path) -> Origin {
    if (path.starts_with("source.tables")) return {"--tables"};
    return {path.starts_with("source.") ? "--source" : "--warehouse"};
  };
  Problems problems;
  CheckValues(config, origin_of, problems);
  if (problems.empty()) {
    config.state_dir = "-";  // No default from the environment: the state stays beside the tables.
    FillDerivedDefaults(config, {}, origin_of, problems);
    config.state_dir = config.catalog.warehouse + "/.firn";
  }
  if (!problems.empty()) return std::move(problems).ToError();
  return config;
}

}  // namespace firn::config
