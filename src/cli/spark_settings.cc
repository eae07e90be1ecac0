#include "cli/spark_settings.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "catalog/sql/postgres_session.h"
#include "catalog/sql/sql_catalog.h"
#include "observe/log.h"

namespace firn::cli {
namespace {

/// Of a catalog that has no name of its own in its tables.
constexpr char kCatalogName[] = "firn";

std::string Lookup(const config::Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

bool IsLocal(std::string_view warehouse) { return warehouse.starts_with('/') || warehouse.starts_with("file:"); }

bool IsConnect(const config::Config& config) { return config.spark.master.starts_with("sc://"); }

/// Whether a Spark Connect server is on this machine.
bool IsNear(std::string_view remote) {
  remote.remove_prefix(std::string_view("sc://").size());
  return remote.starts_with("localhost") || remote.starts_with("127.") || remote.starts_with("[::1]");
}

class Translation {
 public:
  Translation(const config::Config& config, const config::Environment& environment)
      : config_(config), environment_(environment) {}

  Result<SparkLake> Run() && {
    lake_.catalog = config_.catalog.type == "sql" ? config_.catalog.name : kCatalogName;
    if (config_.catalog.type == "sql") TRY_VOID(AddSql());
    if (config_.catalog.type == "rest") AddRest();
    if (config_.catalog.type == "glue") AddGlue();
    if (!config_.catalog.warehouse.empty()) {
      const std::string& warehouse = config_.catalog.warehouse;
      Set("warehouse", warehouse.starts_with('/') ? "file://" + warehouse : warehouse);
    }
    // Picks the store by each location's scheme; a REST catalog's default, too.
    if (config_.catalog.type != "rest" && !IsLocal(config_.catalog.warehouse)) {
      Set("io-impl", "org.apache.iceberg.io.ResolvingFileIO");
    }
    AddS3();
    AddGcs();
    AddAzure();
    if (IsLocal(config_.catalog.warehouse) && MayBeElsewhere()) {
      Gap("catalog.warehouse: Spark's executors must find the same files at {}", config_.catalog.warehouse);
    }
    if (IsConnect(config_) && !lake_.environment.empty()) {
      std::string names;
      for (const auto& [name, value] : lake_.environment) names += (names.empty() ? "" : ", ") + name;
      Gap("spark.master: a Spark Connect server must have these variables itself: {}", names);
    }
    return std::move(lake_);
  }

 private:
  void Set(const std::string& name, std::string value) {
    if (!value.empty()) lake_.properties[name] = std::move(value);
  }
  template <typename... Args>
  void Gap(fmt::format_string<Args...> format, Args&&... args) {
    lake_.gaps.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  /// For driver and executors.
  void SetVariable(const std::string& name, const std::string& value) {
    if (value.empty()) return;
    lake_.environment[name] = value;
    lake_.conf["spark.executorEnv." + name] = value;
  }
  std::string Option(const std::string& key) const { return config_.catalog.Option(key); }

  bool MayBeElsewhere() const {
    const std::string& master = config_.spark.master;
    if (IsConnect(config_)) return !IsNear(master);
    return !master.empty() && !master.starts_with("local");
  }

  Status AddSql() {
    if (IsConnect(config_) && !IsNear(config_.spark.master) && config_.catalog.uri.starts_with("sqlite:")) {
      return MakeError(
          ErrorKind::kUnsupported,
          "Spark can't reach the catalog: {} is a file of this machine, and {} is another one; use a catalog "
          "in PostgreSQL, a REST catalog, or spark-submit from here (spark.master)",
          config_.catalog.uri, config_.spark.master);
    }
    Set("type", "jdbc");
    TRY(auto properties, catalog::JavaJdbcProperties(config_.catalog.uri).Context("Spark's way to the catalog"));
    lake_.properties.merge(properties);
    return {};
  }

  void AddRest() {
    Set("type", "rest");
    Set("uri", config_.catalog.uri);
    Set("credential", Option("credential"));
    Set("token", Option("token"));
    Set("oauth2-server-uri", Option("oauth2_server_uri"));
    Set("scope", Option("scope"));
    Set("audience", Option("audience"));
    Set("resource", Option("resource"));
    Set("prefix", Option("prefix"));
    Set("rest.client.socket-timeout-ms", Option("request_timeout_ms"));
    // As firn does: a new token is asked for by the credential, which every server takes.
    if (!Option("credential").empty()) Set("token-exchange-enabled", "false");
    Set("header.X-Iceberg-Access-Delegation", "vended-credentials");
    for (const auto& [name, value] : config_.catalog.headers) Set("header." + name, value);
    if (!Option("sigv4.region").empty()) {
      Set("rest.sigv4-enabled", "true");
      Set("rest.signing-region", Option("sigv4.region"));
      Set("rest.signing-name", Option("sigv4.service"));
      Set("rest.access-key-id", Option("access_key_id"));
      Set("rest.secret-access-key", Option("secret_access_key"));
      Set("rest.session-token", Option("session_token"));
    }
    if (!Option("ca_file").empty()) Gap("catalog.ca_file: {}", kTrustStore);
  }

  void AddGlue() {
    Set("type", "glue");
    Set("glue.id", Option("catalog_id"));
    Set("glue.endpoint", Option("endpoint"));
    Set("client.region", Option("region"));
    // Iceberg's Glue takes keys from the AWS chain alone.
    if (Option("access_key_id").empty()) return;
    lake_.environment["AWS_ACCESS_KEY_ID"] = Option("access_key_id");
    lake_.environment["AWS_SECRET_ACCESS_KEY"] = Option("secret_access_key");
    // "" takes away what is there, and belongs to another key.
    lake_.environment["AWS_SESSION_TOKEN"] = Option("session_token");
  }

  /// The options of storage.NAME; null where there are none.
  const std::map<std::string, std::string>* Store(const std::string& name) {
    const auto found = config_.storage.find(name);
    return found == config_.storage.end() ? nullptr : &found->second;
  }
  static std::string ValueOf(const std::map<std::string, std::string>& section, const std::string& key) {
    const auto found = section.find(key);
    return found == section.end() ? "" : found->second;
  }

  void AddS3() {
    const auto* s3 = Store("s3");
    if (s3 == nullptr) return;
    const std::string endpoint = ValueOf(*s3, "endpoint");
    std::string region = ValueOf(*s3, "region");
    // Amazon's client wants one, also where the store has none.
    if (region.empty() && !endpoint.empty() && Lookup(environment_, "AWS_REGION").empty()) region = "us-east-1";
    const std::string of_catalog = Option("region");
    if (!of_catalog.empty() && !region.empty() && region != of_catalog) {
      Set("s3.cross-region-access-enabled", "true");
    } else {
      Set("client.region", region);
    }
    Set("s3.endpoint", endpoint);
    const std::string path_style = ValueOf(*s3, "path_style");
    Set("s3.path-style-access", path_style.empty() && !endpoint.empty() ? "true" : path_style);
    Set("s3.access-key-id", ValueOf(*s3, "access_key_id"));
    Set("s3.secret-access-key", ValueOf(*s3, "secret_access_key"));
    Set("s3.session-token", ValueOf(*s3, "session_token"));
    if (const std::string role = ValueOf(*s3, "role_arn"); !role.empty()) {
      Set("client.factory", "org.apache.iceberg.aws.AssumeRoleAwsClientFactory");
      Set("client.assume-role.arn", role);
      Set("client.assume-role.external-id", ValueOf(*s3, "role_external_id"));
      Set("client.assume-role.session-name", ValueOf(*s3, "role_session_name"));
      Set("client.assume-role.region", region);
      if (region.empty()) Gap("storage.s3.role_arn: Spark needs storage.s3.region with it");
    }
    if (ValueOf(*s3, "anonymous") == "true") {
      Gap("storage.s3.anonymous: Spark signs its requests; give it keys");
    }
    if (!ValueOf(*s3, "ca_file").empty()) Gap("storage.s3.ca_file: {}", kTrustStore);
  }

  void AddGcs() {
    const auto* gcs = Store("gcs");
    if (gcs == nullptr) return;
    Set("gcs.service.host", ValueOf(*gcs, "endpoint"));
    Set("gcs.oauth2.token", ValueOf(*gcs, "token"));
    if (ValueOf(*gcs, "anonymous") == "true") Set("gcs.no-auth", "true");
    SetVariable("GOOGLE_APPLICATION_CREDENTIALS", ValueOf(*gcs, "credentials_file"));
  }

  void AddAzure() {
    const auto* azure = Store("azure");
    if (azure == nullptr) return;
    // abfss://container@account.dfs.core.windows.net/path
    std::string host;
    if (const size_t at = config_.catalog.warehouse.find('@'); at != std::string::npos) {
      host = config_.catalog.warehouse.substr(at + 1, config_.catalog.warehouse.find('/', at) - at - 1);
    }
    std::string account = ValueOf(*azure, "account");
    if (account.empty()) account = host.substr(0, host.find('.'));
    if (host.empty()) host = account + ".dfs.core.windows.net";
    if (const std::string key = ValueOf(*azure, "account_key"); !key.empty()) {
      Set("adls.auth.shared-key.account.name", account);
      Set("adls.auth.shared-key.account.key", key);
    }
    // By the account or its host, as the version of Iceberg has it.
    for (const std::string& name : {account, host}) {
      Set("adls.sas-token." + name, ValueOf(*azure, "sas_token"));
      Set("adls.connection-string." + name, ValueOf(*azure, "endpoint"));
    }
    SetVariable("AZURE_CLIENT_ID", ValueOf(*azure, "client_id"));
    SetVariable("AZURE_TENANT_ID", ValueOf(*azure, "tenant_id"));
    SetVariable("AZURE_CLIENT_SECRET", ValueOf(*azure, "client_secret"));
    if (ValueOf(*azure, "anonymous") == "true") {
      Gap("storage.azure.anonymous: Spark signs its requests; give it a key");
    }
  }

  static constexpr const char* kTrustStore =
      "Java takes the certificates that it trusts from a key store: name one in spark.conf, as in "
      "spark.driver.extraJavaOptions: -Djavax.net.ssl.trustStore=PATH, and for spark.executor as well";

  const config::Config& config_;
  const config::Environment& environment_;
  SparkLake lake_;
};

}  // namespace

Result<SparkLake> SparkLakeOf(const config::Config& config, const config::Environment& environment) {
  return Translation(config, environment).Run();
}

Result<maintenance::SparkOptions> SparkOptionsOf(const config::Config& config, const std::string& submit,
                                                 const config::Environment& environment) {
  maintenance::SparkOptions options{.master = config.spark.master};
  if (const std::string python = Lookup(environment, "PYSPARK_PYTHON"); !python.empty()) options.python = python;
  if (!options.IsConnect()) {
    TRY(options.submit, maintenance::FindSparkSubmit(submit.empty() ? config.spark.submit : submit,
                                                     Lookup(environment, "SPARK_HOME"), Lookup(environment, "PATH")));
  }
  TRY(SparkLake lake, SparkLakeOf(config, environment));
  for (const std::string& gap : lake.gaps) LogWarn(gap);
  options.catalog = std::move(lake.catalog);
  options.catalog_properties = std::move(lake.properties);
  options.environment = std::move(lake.environment);
  // A Spark Connect server has its own.
  if (!options.IsConnect()) {
    options.conf = std::move(lake.conf);
    if (!config.spark.packages.empty()) {
      options.conf["spark.jars.packages"] = fmt::format("{}", fmt::join(config.spark.packages, ","));
    }
    if (!config.spark.jars.empty()) options.conf["spark.jars"] = fmt::format("{}", fmt::join(config.spark.jars, ","));
  }
  for (const auto& [name, value] : config.spark.conf) options.conf[name] = value;
  return options;
}

Result<maintenance::SparkCopyOptions> SparkCopyOptionsOf(const config::Config& config, const std::string& submit,
                                                         const config::Environment& environment) {
  maintenance::SparkCopyOptions options;
  TRY(options.spark, SparkOptionsOf(config, submit, environment));
  auto properties = catalog::PostgresDriverProperties(config.source.url);
  if (!properties && properties.error().kind() == ErrorKind::kUnsupported) {
    return MakeError(ErrorKind::kUnsupported,
                     "source.url: PostgreSQL is reached through a Unix socket, which Java's driver does not know: "
                     "write the server's host into it, as in postgresql://firn@127.0.0.1:5432/shop, or set "
                     "source.copy_engine: firn");
  }
  if (!properties) return std::move(properties).error().WithContext("Spark's way to source.url");
  options.jdbc = *std::move(properties);
  return options;
}

std::map<std::string, std::string> RewriteOptionsOf(const config::Config& config, const iceberg::TableMetadata& table) {
  // Groups are committed as they are done: one whose files firn changed meanwhile leaves the others alone.
  std::map<std::string, std::string> options = {
      {"target-file-size-bytes", fmt::to_string(config.writer.target_file_size_bytes)},
      {"partial-progress.enabled", "true"},
      {"delete-ratio-threshold", "0.1"}};
  const iceberg::Snapshot* current = table.CurrentSnapshot();
  if (current != nullptr) {
    const auto deletes = current->summary.find("total-equality-deletes");
    if (deletes != current->summary.end() && deletes->second != "0") {
      options["delete-file-threshold"] = "1";
      options["remove-dangling-deletes"] = "true";
    }
  }
  for (const auto& [name, value] : config.spark.rewrite_options) options[name] = value;
  return options;
}

}  // namespace firn::cli
