// The configuration file (docs/configuration.md), its environment form, and the no-file form of the commands.
// One table of keys (config_keys.cc) is the source of parsing, `firn config schema`, `firn config example` and the
// docs.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "firn/result.h"

namespace firn::config {

struct SourceConfig {
  std::string url;
  std::string publication = "firn";
  std::string slot = "firn";
  std::vector<std::string> tables;
  std::string shard;  ///< "2/4" (shard.h); empty: all tables.
  std::string partitioned_tables = "root";
  std::string copy_engine = "firn";
  int copy_workers = 4;
  int64_t copy_range_bytes = 268'435'456;
  int64_t copy_wal_limit_bytes = 8'589'934'592;
  bool failover_slot = true;
  std::string on_lost_slot = "fail";
  int64_t heartbeat_interval_ms = 0;
};
struct CatalogConfig {
  std::string type = "sql";
  std::string uri;
  std::string name = "firn";
  std::string warehouse;
  std::map<std::string, std::string> options;  ///< Keys of one catalog type only: "credential", "sigv4.region", …
  std::map<std::string, std::string> headers;  ///< rest: HTTP headers for every request.

  /// Empty where it isn't given.
  std::string Option(const std::string& key) const {
    const auto found = options.find(key);
    return found == options.end() ? "" : found->second;
  }
};
struct DestinationConfig {
  std::string name_space = "{schema}";
  std::string table_prefix;
  int format_version = 2;
  std::string deletes;  ///< Empty: "position", or "vector" for format version 3.
  std::string unrepresentable = "error";
  std::string type_changes = "recopy";
};
struct WriterConfig {
  int64_t target_file_size_bytes = 536'870'912;
  int max_open_files = 10;
  std::string compression = "zstd";
  int batch_size = 1000;
  int64_t commit_interval_ms = 10'000;
  int64_t memory_limit_bytes = 536'870'912;
};
struct CdcConfig {
  std::string mode = "mirror";
  bool enable_deletes = true;
  bool track_changes = false;
};
struct TableConfig {
  std::optional<std::vector<std::string>> partition_by;  ///< Nothing where the key is not there; an empty list may be.
  std::optional<std::vector<std::string>> sort_by;       ///< As partition_by.
  std::string cdc_mode;                                  ///< Empty: cdc.mode.
  std::map<std::string, std::string> computed;
  std::map<std::string, std::string> columns;
  std::string unrepresentable;  ///< Empty: the destination's.
  std::map<std::string, std::string> unrepresentable_columns;
};
struct RetryConfig {
  int max_retries = 10;
  int64_t base_delay_ms = 200;
  int64_t max_delay_ms = 30'000;
};
struct MaintenanceConfig {
  std::string compact = "auto";
  std::string expire = "auto";
  std::string interval = "10m";
  int64_t max_bytes_per_second = 33'554'432;
  std::string snapshot_retention = "7d";
  int64_t max_snapshots = 1'000;
  std::string orphan_grace = "3d";
};
struct SparkConfig {
  std::string submit;  ///< Empty: found by SPARK_HOME or PATH.
  std::string master;  ///< Empty: as Spark's own settings say.
  std::vector<std::string> packages;
  std::vector<std::string> jars;
  std::map<std::string, std::string> conf;
  std::map<std::string, std::string> rewrite_options;
};
struct HttpConfig {
  std::string listen;  ///< "127.0.0.1:9090"; empty: no HTTP server.
  std::string token;   ///< Lets the page act; empty: it only shows.
};
struct LogConfig {
  std::string level = "info";
  std::string format = "text";
};

struct Config {
  SourceConfig source;
  CatalogConfig catalog;
  std::map<std::string, std::map<std::string, std::string>> storage;  ///< "s3" → key → value
  DestinationConfig destination;
  WriterConfig writer;
  CdcConfig cdc;
  std::map<std::string, TableConfig> tables;
  RetryConfig retry;
  MaintenanceConfig maintenance;
  SparkConfig spark;
  std::string state_dir;
  HttpConfig http;
  LogConfig log;
  std::map<std::string, std::string> origins;  ///< Where each value was given: "source.url" → "firn.yaml:12".
};

/// Every problem at once, one a line ("firn.yaml:12: unknown key 'sorce' (did you mean 'source'?)"), kInvalidConfig.
/// Values come from the file, then `environment` ("FIRN_CATALOG_URI" → …) over it; ${VAR} and ${VAR:-default} expand
/// from `environment`. A key of the contract whose feature this version lacks is refused with that reason, unless its
/// value is what firn does anyway.
Result<Config> ParseConfig(const std::string& yaml, const std::string& file_name,
                           const std::map<std::string, std::string>& environment);
/// The sections `catalog` and `storage` alone, in the same way: of a program that has its own source. Another section
/// is a problem; variables of other keys are left out.
Result<Config> ParseLakeConfig(const std::string& yaml, const std::string& file_name,
                               const std::map<std::string, std::string>& environment);
/// Reads the file and this process's environment.
Result<Config> LoadConfig(const std::string& path);
/// `firn run --source URL --warehouse DIR_OR_URI [--tables LIST]`: `environment` as for a file, the options over it. A
/// folder holds catalog and state, too. For a URI both are in a folder of this machine, which is state_dir: one for
/// each warehouse.
Result<Config> MakeDirectConfig(const std::string& source_url, const std::string& warehouse,
                                const std::vector<std::string>& tables,
                                const std::map<std::string, std::string>& environment);

/// The error with the place of the value that it is about before it, where its message begins with a key that was
/// given: "firn.yaml:12: tables.public.orders.sort_by: …".
Error Located(const Config& config, Error error);

std::string ConfigJsonSchema();
std::string ConfigExample();

}  // namespace firn::config
