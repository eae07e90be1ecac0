#include "config/check_values.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "config/listen_address.h"
#include "config/shard.h"

namespace firn::config {
namespace {

bool HasScheme(std::string_view text, std::initializer_list<std::string_view> schemes) {
  return std::ranges::any_of(schemes, [&](std::string_view scheme) { return text.starts_with(scheme); });
}

void CheckSource(const SourceConfig& source, const FindOrigin& origin_of, Problems& problems) {
  if (source.url.empty()) {
    problems.Add(origin_of("source.url"),
                 "source.url is missing: the database to read, as in postgresql://firn@localhost:5432/shop");
  } else if (!HasScheme(source.url, {"postgresql://", "postgres://"}) && source.url.find('=') == std::string::npos) {
    problems.Add(origin_of("source.url"),
                 "source.url: expected postgresql://user@host:port/database or libpq's key=value words");
  }
  // PostgreSQL, "Replication Slots": lower-case letters, numbers and underscores.
  const bool slot_ok = std::ranges::all_of(
      source.slot, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
  if (source.slot.empty() || source.slot.size() > 63 || !slot_ok) {
    problems.Add(origin_of("source.slot"),
                 "source.slot: '{}' is no slot name; use up to 63 lower-case letters, digits and '_'", source.slot);
  }
  if (source.publication.empty() || source.publication.size() > 63) {
    problems.Add(origin_of("source.publication"), "source.publication: a name has 1 to 63 bytes");
  }
  for (const std::string& pattern : source.tables) {
    const std::string name = pattern.starts_with('!') ? pattern.substr(1) : pattern;
    const size_t dot = name.find('.');
    if (name.empty() || dot == 0 || dot == name.size() - 1) {
      problems.Add(origin_of("source.tables"), "source.tables: '{}' is no pattern; write schema.table, as in public.*",
                   pattern);
    } else if (dot == std::string::npos) {
      problems.Add(origin_of("source.tables"), "source.tables: '{}' has no schema (did you mean '{}public.{}'?)",
                   pattern, pattern.starts_with('!') ? "!" : "", name);
    }
  }
}

/// Whether the key of one catalog type is there, and not empty.
bool IsGiven(const CatalogConfig& catalog, std::string_view key) { return !catalog.Option(std::string(key)).empty(); }

/// AWS credentials, which Glue takes, and a REST catalog whose requests are signed.
void CheckAccessKey(const CatalogConfig& catalog, const FindOrigin& origin_of, Problems& problems) {
  const bool has_key = IsGiven(catalog, "access_key_id");
  if (catalog.type == "sql") {
    for (const std::string key : {"access_key_id", "secret_access_key", "session_token"}) {
      const std::string path = "catalog." + key;
      if (!IsGiven(catalog, key)) continue;
      problems.Add(origin_of(path), "{}: a catalog of type sql has no such key; the store's are in storage.s3", path);
    }
    return;
  }
  if (has_key != IsGiven(catalog, "secret_access_key")) {
    const std::string missing = has_key ? "catalog.secret_access_key" : "catalog.access_key_id";
    problems.Add(origin_of(missing), "{} is missing: an access key and its secret go together", missing);
  }
  if (IsGiven(catalog, "session_token") && !has_key) {
    problems.Add(origin_of("catalog.session_token"),
                 "catalog.session_token: it belongs to catalog.access_key_id, which is missing");
  }
}

/// Keys that are a REST catalog's alone, and those that go only with each other.
void CheckRest(const CatalogConfig& catalog, const FindOrigin& origin_of, Problems& problems) {
  constexpr std::string_view kRestOnly[] = {
      "credential", "token",   "oauth2_server_uri",  "scope",        "audience",     "resource",
      "prefix",     "ca_file", "request_timeout_ms", "sigv4.region", "sigv4.service"};
  const auto given = [&](std::string_view key) { return IsGiven(catalog, key); };
  if (catalog.type != "rest") {
    for (const std::string_view key : kRestOnly) {
      const std::string path = fmt::format("catalog.{}", key);
      if (given(key)) problems.Add(origin_of(path), "{}: only a catalog of type rest has it", path);
    }
    if (!catalog.headers.empty()) {
      problems.Add(origin_of("catalog.headers"), "catalog.headers: only a catalog of type rest has it");
    }
    return;
  }
  if (given("credential") && given("token")) {
    problems.Add(origin_of("catalog.token"),
                 "catalog.token: there is catalog.credential too; firn says who it is by one of them");
  }
  for (const std::string_view key : {"oauth2_server_uri", "scope", "audience", "resource"}) {
    const std::string path = fmt::format("catalog.{}", key);
    if (given(key) && !given("credential")) {
      problems.Add(origin_of(path), "{}: it is for asking for tokens, which needs catalog.credential", path);
    }
  }
  if (given("oauth2_server_uri") && !HasScheme(catalog.options.at("oauth2_server_uri"), {"http://", "https://"})) {
    problems.Add(origin_of("catalog.oauth2_server_uri"), "catalog.oauth2_server_uri: expected http://… or https://…");
  }
  if (given("sigv4.region") != given("sigv4.service")) {
    const std::string missing = given("sigv4.region") ? "catalog.sigv4.service" : "catalog.sigv4.region";
    problems.Add(origin_of(missing), "{} is missing: requests are signed for a region and a service", missing);
  }
  for (const auto& [name, value] : catalog.headers) {
    const bool name_ok = !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
      return c > ' ' && c < 0x7f &&
             std::string_view("()<>@,;:\\\"/[]?={}").find(static_cast<char>(c)) == std::string_view::npos;
    });
    if (!name_ok || value.find_first_of("\r\n") != std::string::npos) {
      problems.Add(origin_of("catalog.headers"), "catalog.headers: '{}' can't be an HTTP header", name);
    }
  }
}

/// The rest of a location is the store's to judge (storage::ParseStoreLocation).
void CheckWarehouse(const Config& config, const FindOrigin& origin_of, Problems& problems) {
  const std::string& warehouse = config.catalog.warehouse;
  const size_t separator = warehouse.find("://");
  if (config.catalog.type == "rest" || separator == std::string::npos || warehouse.starts_with("file:")) return;
  const Origin origin = origin_of("catalog.warehouse");
  const std::string authority = warehouse.substr(separator + 3, warehouse.find('/', separator + 3) - separator - 3);
  if (HasScheme(warehouse, {"abfss://", "abfs://", "wasbs://", "wasb://"})) {
    const auto azure = config.storage.find("azure");
    const bool names_account = azure != config.storage.end() && azure->second.contains("account");
    if (authority.find('@') == std::string::npos && !names_account) {
      problems.Add(
          origin,
          "catalog.warehouse: which account? write abfss://container@account.dfs.core.windows.net/path, or set "
          "storage.azure.account");
    }
  } else if (!HasScheme(warehouse, {"s3://", "s3a://", "s3n://", "gs://"})) {
    problems.Add(origin, "catalog.warehouse: expected a path, file://, s3://, gs:// or abfss://");
  } else if (authority.empty()) {
    problems.Add(origin, "catalog.warehouse: names no bucket");
  } else if (authority.find('@') != std::string::npos) {
    problems.Add(origin, "catalog.warehouse: a location holds no credentials; write them into storage.{}",
                 warehouse.starts_with("gs") ? "gcs" : "s3");
  }
}

/// Keys that are Glue's alone, and the names that it takes.
void CheckGlue(const Config& config, const FindOrigin& origin_of, Problems& problems) {
  const CatalogConfig& catalog = config.catalog;
  if (catalog.type != "glue") {
    for (const std::string key : {"region", "endpoint", "catalog_id"}) {
      const std::string path = "catalog." + key;
      if (IsGiven(catalog, key)) problems.Add(origin_of(path), "{}: only a catalog of type glue has it", path);
    }
    return;
  }
  if (!catalog.uri.empty()) {
    problems.Add(
        origin_of("catalog.uri"),
        "catalog.uri: a catalog of type glue is found by catalog.region, and by catalog.endpoint where that is "
        "another address");
  }
  if (IsGiven(catalog, "endpoint") && !HasScheme(catalog.options.at("endpoint"), {"http://", "https://"})) {
    problems.Add(origin_of("catalog.endpoint"), "catalog.endpoint: expected http://… or https://…");
  }
  for (auto [path, name] : {std::pair("destination.namespace", config.destination.name_space),
                            std::pair("destination.table_prefix", config.destination.table_prefix)}) {
    if (const size_t schema = name.find("{schema}"); schema != std::string::npos) name.erase(schema, 8);
    const bool plain =
        std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
    if (!plain) {
      problems.Add(origin_of(path), "{}: Glue's names have one level, of lower-case letters, digits and '_'", path);
    }
  }
}

void CheckCatalog(const CatalogConfig& catalog, const FindOrigin& origin_of, Problems& problems) {
  if (catalog.warehouse.empty() && catalog.type != "rest") {
    problems.Add(origin_of("catalog.warehouse"),
                 "catalog.warehouse is missing: where the tables' files go, as in /var/lib/firn/lake");
  }
  if (catalog.name.empty()) problems.Add(origin_of("catalog.name"), "catalog.name: may not be empty");
  if (catalog.uri.empty() || catalog.type == "glue") {
    if (catalog.type == "rest") problems.Add(origin_of("catalog.uri"), "catalog.uri is missing: the catalog's address");
    return;
  }
  if (catalog.type == "sql") {
    if (catalog.uri.starts_with("postgresql+")) {
      problems.Add(origin_of("catalog.uri"), "catalog.uri: write postgresql:// without a Python driver's name");
    } else if (!HasScheme(catalog.uri, {"sqlite:///", "postgresql://", "postgres://"})) {
      problems.Add(origin_of("catalog.uri"), "catalog.uri: expected sqlite:///absolute/path.db or postgresql://…");
    }
  } else if (catalog.type == "rest" && !HasScheme(catalog.uri, {"http://", "https://"})) {
    problems.Add(origin_of("catalog.uri"), "catalog.uri: expected http://… or https://…");
  }
}

void CheckDestination(const DestinationConfig& destination, const FindOrigin& origin_of, Problems& problems) {
  std::string rest = destination.name_space;
  if (const size_t schema = rest.find("{schema}"); schema != std::string::npos) rest.erase(schema, 8);
  if (destination.name_space.empty() || rest.find_first_of("{}") != std::string::npos) {
    problems.Add(origin_of("destination.namespace"),
                 "destination.namespace: expected a name, or one with {{schema}} in it");
  }
  if (destination.deletes == "vector" && destination.format_version < 3) {
    problems.Add(origin_of("destination.deletes"),
                 "destination.deletes: deletion vectors need destination.format_version: 3");
  }
  if (destination.deletes == "position" && destination.format_version >= 3) {
    problems.Add(origin_of("destination.deletes"),
                 "destination.deletes: format version 3 has vectors in place of position delete files; set it to "
                 "vector, or leave it out");
  }
}

bool IsLocal(const std::string& warehouse) {
  return warehouse.find("://") == std::string::npos || warehouse.starts_with("file:");
}

/// "file:///lake" or "lake" → "/lake"
std::string LocalPath(const std::string& warehouse) {
  std::string path = warehouse;
  if (path.starts_with("file://")) {
    path.erase(0, 7);
  } else if (path.starts_with("file:")) {
    path.erase(0, 5);
  }
  std::error_code ignored;  // Without a current directory the path stays relative, and opening it tells why.
  const std::filesystem::path absolute = std::filesystem::absolute(path, ignored);
  std::string normal = (ignored ? std::filesystem::path(path) : absolute).lexically_normal().string();
  while (normal.size() > 1 && normal.ends_with('/')) normal.pop_back();
  return normal;
}

std::string Lookup(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

}  // namespace

void NameShard(Config& config, const FindOrigin& origin_of, Problems& problems) {
  constexpr std::string_view kPlace = "{shard}";
  SourceConfig& source = config.source;
  if (source.shard.empty()) return;
  const auto shard = ParseShard(source.shard);
  if (!shard) {
    problems.Add(origin_of("source.shard"),
                 "source.shard: '{}' is no shard; write its number and how many there are, as in 2/4 (at most {})",
                 source.shard, kShardsMax);
    return;
  }
  const SourceConfig defaults;
  for (auto [name, of_one] : {std::pair(&source.slot, &defaults.slot), {&source.publication, &defaults.publication}}) {
    if (*name == *of_one) *name += fmt::format("_{}", kPlace);
    if (const size_t at = name->find(kPlace); at != std::string::npos) {
      name->replace(at, kPlace.size(), fmt::to_string(shard->number));
    }
  }
}

void CheckLakeValues(const Config& config, const FindOrigin& origin_of, Problems& problems) {
  CheckWarehouse(config, origin_of, problems);
  CheckCatalog(config.catalog, origin_of, problems);
  CheckAccessKey(config.catalog, origin_of, problems);
  CheckRest(config.catalog, origin_of, problems);
  CheckGlue(config, origin_of, problems);
}

void CheckValues(const Config& config, const FindOrigin& origin_of, Problems& problems) {
  CheckSource(config.source, origin_of, problems);
  CheckLakeValues(config, origin_of, problems);
  CheckDestination(config.destination, origin_of, problems);
  if (config.retry.max_delay_ms < config.retry.base_delay_ms) {
    problems.Add(origin_of("retry.max_delay_ms"), "retry.max_delay_ms: must not be less than retry.base_delay_ms ({})",
                 config.retry.base_delay_ms);
  }
  constexpr size_t kTokenBytesMin = 16;
  if (!config.http.token.empty() && config.http.token.size() < kTokenBytesMin) {
    problems.Add(origin_of("http.token"), "http.token: it has fewer than {} characters, and could be guessed",
                 kTokenBytesMin);
  }
  if (!config.http.token.empty() && config.http.listen.empty()) {
    problems.Add(origin_of("http.token"), "http.token: it has no use without http.listen");
  }
  if (!config.http.listen.empty()) {
    const auto address = ParseListenAddress(config.http.listen);
    if (!address) problems.Add(origin_of("http.listen"), "http.listen: {}", address.error().message());
  }
  for (const auto& [name, table] : config.tables) {
    const size_t dot = name.find('.');
    if (dot == std::string::npos || dot == 0 || dot == name.size() - 1) {
      problems.Add(origin_of("tables." + name), "tables: '{}' is no table; write schema.table, as in public.orders",
                   name);
    }
  }
}

void FillLakeDefaults(Config& config, const Environment& environment, const FindOrigin& origin_of, Problems& problems) {
  // A REST catalog's warehouse may be a name.
  const bool is_name = config.catalog.type == "rest" && !HasScheme(config.catalog.warehouse, {"/", "file:"});
  if (!config.catalog.warehouse.empty() && IsLocal(config.catalog.warehouse) && !is_name) {
    const std::string path = LocalPath(config.catalog.warehouse);
    config.catalog.warehouse = path;
    if (config.catalog.uri.empty() && config.catalog.type == "sql") {
      config.catalog.uri = fmt::format("sqlite://{}/catalog.db", path == "/" ? "" : path);
    }
  } else if (!config.catalog.warehouse.empty() && config.catalog.uri.empty() && config.catalog.type == "sql") {
    problems.Add(origin_of("catalog.uri"), "catalog.uri is missing: it has a default only for a local warehouse");
  }
  if (config.catalog.type == "glue" && config.catalog.options["region"].empty()) {
    std::string region = Lookup(environment, "AWS_REGION");
    if (region.empty()) region = Lookup(environment, "AWS_DEFAULT_REGION");
    if (region.empty()) {
      problems.Add(
          origin_of("catalog.region"),
          "catalog.region is missing: the AWS region of the Glue catalog, as in eu-central-1 (or set AWS_REGION)");
    }
    config.catalog.options["region"] = std::move(region);
  }
}

void FillDerivedDefaults(Config& config, const Environment& environment, const FindOrigin& origin_of,
                         Problems& problems) {
  FillLakeDefaults(config, environment, origin_of, problems);
  if (!config.state_dir.empty()) return;
  if (geteuid() == 0) {
    config.state_dir = "/var/lib/firn";
  } else if (const std::string state_home = Lookup(environment, "XDG_STATE_HOME"); state_home.starts_with('/')) {
    config.state_dir = state_home + "/firn";
  } else if (const std::string home = Lookup(environment, "HOME"); home.starts_with('/')) {
    config.state_dir = home + "/.local/state/firn";
  } else {
    problems.Add(origin_of("state_dir"), "state_dir is missing, and HOME is not set to make a default from");
  }
}

}  // namespace firn::config
