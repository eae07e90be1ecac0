#include "config/config_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace firn::config {
namespace {

/// kAt<&Config::source, &SourceConfig::url>
template <auto Section, auto Member>
constexpr auto kAt = +[](Config& config) -> auto& { return (config.*Section).*Member; };
template <auto Member>
constexpr auto kInTable = +[](TableConfig& table) -> auto& { return table.*Member; };

constexpr int64_t kMiB = 1024 * 1024;
constexpr int64_t kTiB = kMiB * kMiB;
constexpr int64_t kDayMs = 24 * 60 * 60 * 1000;

std::vector<ConfigKey> MakeKeys() {
  using enum KeyType;
  return {
      {.path = "source.url",
       .field = kAt<&Config::source, &SourceConfig::url>,
       .doc = "The PostgreSQL database, as libpq takes it: a URL or `key=value` words. `PGPASSFILE`, `sslmode` and "
              "service files all work, so the password need not be here.",
       .example = "postgresql://firn@localhost:5432/shop",
       .required = true,
       .secret = true},
      {.path = "source.publication",
       .field = kAt<&Config::source, &SourceConfig::publication>,
       .doc = "The publication that says what to replicate. Made when it is missing and the role may make it.",
       .default_note = "`firn`; with `source.shard` `firn_{shard}`"},
      {.path = "source.slot",
       .field = kAt<&Config::source, &SourceConfig::slot>,
       .doc = "The replication slot, which is also the pipeline's name. One running firn per slot.",
       .default_note = "`firn`; with `source.shard` `firn_{shard}`"},
      {.path = "source.tables",
       .type = kTextList,
       .field = kAt<&Config::source, &SourceConfig::tables>,
       .doc = "Patterns of `schema.table` with `*` for any letters; a leading `!` leaves tables out; later ones win.",
       .default_note = "every table of the publication",
       .example = "[\"public.*\", \"!public.audit_*\"]"},
      {.path = "source.shard",
       .field = kAt<&Config::source, &SourceConfig::shard>,
       .doc = "Takes a part of the tables alone, as in `2/4`: the second of four, by a hash of their names. The others "
              "are "
              "for pipelines with the other numbers; `{shard}` in `source.slot` and `source.publication` is the number "
              "(docs/pipelines.md).",
       .default_note = "all tables"},
      {.path = "source.partitioned_tables",
       .field = kAt<&Config::source, &SourceConfig::partitioned_tables>,
       .doc =
           "What becomes of a partitioned table: `root`, one table with all rows; `leaves`, a table for each partition "
           "that holds rows. The publication's `publish_via_partition_root` must agree. Children by inheritance are "
           "always tables of their own.",
       .allowed = {"root", "leaves"}},
      {.path = "source.copy_engine",
       .field = kAt<&Config::source, &SourceConfig::copy_engine>,
       .doc = "Who copies tables at first that are larger than `source.copy_range_bytes`: `firn`, or an existing Spark "
              "(section `spark`), where one machine is not enough (docs/tables.md).",
       .allowed = {"firn", "spark"}},
      {.path = "source.copy_workers",
       .type = kInteger,
       .field = kAt<&Config::source, &SourceConfig::copy_workers>,
       .doc = "Connections that the initial copy reads with at once.",
       .min = 1,
       .max = 64},
      {.path = "source.copy_range_bytes",
       .type = kInteger,
       .field = kAt<&Config::source, &SourceConfig::copy_range_bytes>,
       .doc = "A table that is larger in PostgreSQL is copied in parts of at most this size, by several workers at "
              "once; a copy "
              "that broke off goes on with the parts that it lacks ([tables.md](tables.md)).",
       .min = 8'192,
       .max = kTiB},
      {.path = "source.copy_wal_limit_bytes",
       .type = kInteger,
       .field = kAt<&Config::source, &SourceConfig::copy_wal_limit_bytes>,
       .doc =
           "How much WAL PostgreSQL has to keep for copies, about, before what is left of them goes on under a later "
           "snapshot. Half of `max_slot_wal_keep_size` where that is less. 0: copies keep their snapshot to their "
           "end ([tables.md](tables.md)).",
       .min = 0,
       .max = kTiB},
      {.path = "source.failover_slot",
       .type = kBoolean,
       .field = kAt<&Config::source, &SourceConfig::failover_slot>,
       .doc =
           "Makes the slot with `failover`, from PostgreSQL 17 on: a standby that synchronizes slots has it when it is "
           "promoted (docs/slots.md)."},
      {.path = "source.on_lost_slot",
       .field = kAt<&Config::source, &SourceConfig::on_lost_slot>,
       .doc =
           "What to do where changes are missing between the tables and the slot: it was lost, dropped or made again, "
           "the server is another cluster or a restored backup. `fail` says so and ends; `copy` makes a new slot and "
           "copies all tables again (docs/slots.md).",
       .allowed = {"fail", "copy"}},
      {.path = "source.heartbeat_interval_ms",
       .type = kInteger,
       .field = kAt<&Config::source, &SourceConfig::heartbeat_interval_ms>,
       .doc =
           "How often firn writes an empty message into PostgreSQL's log (`pg_logical_emit_message`), so that the slot "
           "of a database without traffic moves on. 0: never (docs/slots.md).",
       .min = 0,
       .max = kDayMs},

      {.path = "catalog.type",
       .field = kAt<&Config::catalog, &CatalogConfig::type>,
       .doc = "Which kind of Iceberg catalog: `sql` keeps it in SQLite or PostgreSQL, with the tables that PyIceberg's "
              "SqlCatalog and Java's JdbcCatalog use; `rest` asks a server that speaks Iceberg's REST protocol; `glue` "
              "is AWS Glue's Data Catalog (docs/catalogs.md).",
       .allowed = {"rest", "sql", "glue"}},
      {.path = "catalog.uri",
       .field = kAt<&Config::catalog, &CatalogConfig::uri>,
       .doc = "Where the catalog is: `sqlite:///absolute/path.db`, `postgresql://…`, or `http(s)://…` for `rest`.",
       .default_note = "`catalog.db` in a local warehouse, with SQLite",
       .secret = true},
      {.path = "catalog.name",
       .field = kAt<&Config::catalog, &CatalogConfig::name>,
       .doc = "The catalog's name inside a `sql` catalog's tables; other engines must use the same one."},
      {.path = "catalog.warehouse",
       .field = kAt<&Config::catalog, &CatalogConfig::warehouse>,
       .doc = "Where the tables' files go: a local directory, or a URI (`file://`, `s3://`, `gs://`, `abfss://`). "
              "With `rest` also the name that the server has for its warehouse, or nothing where it has but one.",
       .example = "/var/lib/firn/lake",
       .required = true},
      {.path = "catalog.credential",
       .field = CatalogOption{},
       .doc = "For `rest`: the OAuth2 client as `id:secret`, for which tokens are asked and renewed.",
       .secret = true},
      {.path = "catalog.token",
       .field = CatalogOption{},
       .doc = "For `rest`: a bearer token, in place of `credential`. It is not renewed.",
       .secret = true},
      {.path = "catalog.oauth2_server_uri",
       .field = CatalogOption{},
       .doc =
           "For `rest`: the URL where tokens are issued (of Keycloak `…/realms/NAME/protocol/openid-connect/token`).",
       .default_note = "the catalog's own, `<uri>/v1/oauth/tokens`"},
      {.path = "catalog.scope",
       .field = CatalogOption{},
       .doc = "For `rest`: the OAuth2 scope to ask for.",
       .default_note = "`catalog`"},
      {.path = "catalog.audience", .field = CatalogOption{}, .doc = "For `rest`: the OAuth2 audience to ask for."},
      {.path = "catalog.resource", .field = CatalogOption{}, .doc = "For `rest`: the OAuth2 resource to ask for."},
      {.path = "catalog.prefix",
       .field = CatalogOption{},
       .doc = "For `rest`: the path prefix of the catalog's routes.",
       .default_note = "what the server says"},
      {.path = "catalog.headers",
       .type = kTextMap,
       .field = kAt<&Config::catalog, &CatalogConfig::headers>,
       .doc = "For `rest`: HTTP headers sent with every request.",
       .secret = true},
      {.path = "catalog.ca_file",
       .field = CatalogOption{},
       .doc = "For `rest`: a PEM file of the authorities whose certificates are trusted.",
       .default_note = "the system's"},
      {.path = "catalog.request_timeout_ms",
       .type = kInteger,
       .field = CatalogOption{},
       .doc = "For `rest`: how long an answer may take.",
       .min = 100,
       .max = kDayMs,
       .default_note = "`60000`"},
      {.path = "catalog.sigv4.region",
       .field = CatalogOption{},
       .doc = "For `rest`: signs requests for this AWS region."},
      {.path = "catalog.sigv4.service",
       .field = CatalogOption{},
       .doc = "For `rest`: signs requests for this AWS service: `glue`, `s3tables`, `execute-api`."},
      {.path = "catalog.region",
       .field = CatalogOption{},
       .doc = "For `glue`: the AWS region.",
       .default_note = "`AWS_REGION`, or `AWS_DEFAULT_REGION`"},
      {.path = "catalog.endpoint",
       .field = CatalogOption{},
       .doc = "For `glue`: the URL of another address of the service, such as a VPC endpoint."},
      {.path = "catalog.catalog_id",
       .field = CatalogOption{},
       .doc = "For `glue`: the AWS account that owns the catalog.",
       .default_note = "the credentials' own"},
      {.path = "catalog.access_key_id",
       .field = CatalogOption{},
       .doc = "For `glue`, and `rest` with `sigv4`: the access key. Without it, the AWS credential chain.",
       .secret = true},
      {.path = "catalog.secret_access_key",
       .field = CatalogOption{},
       .doc = "For `glue`, and `rest` with `sigv4`: the secret of the access key.",
       .secret = true},
      {.path = "catalog.session_token",
       .field = CatalogOption{},
       .doc = "For `glue`, and `rest` with `sigv4`: the session token of a temporary access key.",
       .secret = true},

      {.path = "storage.s3.endpoint",
       .field = StorageOption{},
       .doc = "The address of a store that is not AWS, as in `https://minio.example.com:9000`."},
      {.path = "storage.s3.region",
       .field = StorageOption{},
       .doc = "The bucket's region.",
       .default_note = "what `AWS_REGION` says, else AWS is asked"},
      {.path = "storage.s3.access_key_id",
       .field = StorageOption{},
       .doc = "The access key.",
       .default_note = "the AWS credential chain",
       .secret = true},
      {.path = "storage.s3.secret_access_key",
       .field = StorageOption{},
       .doc = "The secret of the access key.",
       .secret = true},
      {.path = "storage.s3.session_token",
       .field = StorageOption{},
       .doc = "The session token of temporary credentials.",
       .secret = true},
      {.path = "storage.s3.role_arn",
       .field = StorageOption{},
       .doc = "A role to assume with what the AWS credential chain finds; its credentials are renewed."},
      {.path = "storage.s3.role_session_name", .field = StorageOption{}, .doc = "The assumed role's session name."},
      {.path = "storage.s3.role_external_id",
       .field = StorageOption{},
       .doc = "The external id that the role's trust policy asks for.",
       .secret = true},
      {.path = "storage.s3.anonymous", .type = kBoolean, .field = StorageOption{}, .doc = "Sends requests unsigned."},
      {.path = "storage.s3.path_style",
       .type = kBoolean,
       .field = StorageOption{},
       .doc = "The bucket in the path and not in the host name, as MinIO wants it.",
       .default_note = "true with `storage.s3.endpoint`, else false"},
      {.path = "storage.s3.ca_file",
       .field = StorageOption{},
       .doc = "A PEM file with the certificates to trust.",
       .default_note = "`SSL_CERT_FILE`, else the system's"},
      {.path = "storage.gcs.endpoint", .field = StorageOption{}, .doc = "Another address for the service."},
      {.path = "storage.gcs.credentials_file",
       .field = StorageOption{},
       .doc = "A service account's JSON key file.",
       .default_note = "the application default credentials"},
      {.path = "storage.gcs.token",
       .field = StorageOption{},
       .doc = "An OAuth2 access token. It is not renewed.",
       .secret = true},
      {.path = "storage.gcs.anonymous",
       .type = kBoolean,
       .field = StorageOption{},
       .doc = "Sends requests without credentials."},
      {.path = "storage.azure.account",
       .field = StorageOption{},
       .doc = "The storage account, where locations name none (`abfss://container/path`)."},
      {.path = "storage.azure.account_key",
       .field = StorageOption{},
       .doc = "The account's key.",
       .default_note = "the default Azure credentials",
       .secret = true},
      {.path = "storage.azure.sas_token",
       .field = StorageOption{},
       .doc = "A shared access signature for the account or the container.",
       .secret = true},
      {.path = "storage.azure.client_id",
       .field = StorageOption{},
       .doc = "The application to sign in as; without `tenant_id`, a managed identity."},
      {.path = "storage.azure.tenant_id", .field = StorageOption{}, .doc = "The application's directory."},
      {.path = "storage.azure.client_secret",
       .field = StorageOption{},
       .doc = "The application's secret.",
       .secret = true},
      {.path = "storage.azure.anonymous",
       .type = kBoolean,
       .field = StorageOption{},
       .doc = "Sends requests without credentials."},
      {.path = "storage.azure.endpoint",
       .field = StorageOption{},
       .doc = "Another address for the service, as in `http://127.0.0.1:10000` for Azurite."},

      {.path = "destination.namespace",
       .field = kAt<&Config::destination, &DestinationConfig::name_space>,
       .doc = "The namespace of the Iceberg tables: a fixed one, or `{schema}` for the source table's schema."},
      {.path = "destination.table_prefix",
       .field = kAt<&Config::destination, &DestinationConfig::table_prefix>,
       .doc = "Put before the name of every Iceberg table; `{schema}` in it stands for the source table's schema."},
      {.path = "destination.format_version",
       .type = kInteger,
       .field = kAt<&Config::destination, &DestinationConfig::format_version>,
       .doc = "The Iceberg format version of the tables. One of an older version is upgraded when `firn run` starts, "
              "which "
              "can't be undone (docs/upgrade.md).",
       .allowed = {"2", "3"}},
      {.path = "destination.deletes",
       .field = kAt<&Config::destination, &DestinationConfig::deletes>,
       .doc = "How rows are deleted: by position delete files (format version 2), deletion vectors (3), or equality "
              "deletes, which need no local index but are slow to read and not known to every engine.",
       .allowed = {"position", "vector", "equality"},
       .default_note = "`position`, or `vector` for format version 3"},
      {.path = "destination.unrepresentable",
       .field = kAt<&Config::destination, &DestinationConfig::unrepresentable>,
       .doc = "What becomes of a value that its column's Iceberg type can't hold, such as `infinity` in a date "
              "(docs/types.md): the table stops (`error`), the nearest value (`clamp`), NULL (`\"null\"`), or columns "
              "that may have such values are made as strings (`string`).",
       .allowed = {"error", "clamp", "null", "string"}},
      {.path = "destination.type_changes",
       .field = kAt<&Config::destination, &DestinationConfig::type_changes>,
       .doc = "What becomes of a column whose type changes to one that Iceberg can't promote to: `recopy` puts a new "
              "field in its place and copies the table again; `new_field` keeps the old field beside it, as "
              "`name_old1`, with the values so far ([schema_changes.md](schema_changes.md)).",
       .allowed = {"recopy", "new_field"}},

      {.path = "writer.target_file_size_bytes",
       .type = kInteger,
       .field = kAt<&Config::writer, &WriterConfig::target_file_size_bytes>,
       .doc = "A data file is closed when it reaches this size.",
       .min = 1024,
       .max = kTiB},
      {.path = "writer.max_open_files",
       .type = kInteger,
       .field = kAt<&Config::writer, &WriterConfig::max_open_files>,
       .doc = "Data files of a table that are written at once.",
       .min = 1,
       .max = 10'000},
      {.path = "writer.compression",
       .field = kAt<&Config::writer, &WriterConfig::compression>,
       .doc = "The compression of Parquet data files.",
       .allowed = {"snappy", "zstd", "gzip", "lz4", "none"}},
      {.path = "writer.batch_size",
       .type = kInteger,
       .field = kAt<&Config::writer, &WriterConfig::batch_size>,
       .doc = "Rows that a copy encodes together, at least: small ones are gathered into larger batches.",
       .min = 1,
       .max = 10'000'000},
      {.path = "writer.commit_interval_ms",
       .type = kInteger,
       .field = kAt<&Config::writer, &WriterConfig::commit_interval_ms>,
       .doc = "How long changes wait for more before they are committed. Longer: fewer and larger files. Shorter: "
              "fresher tables.",
       .min = 1,
       .max = kDayMs},
      {.path = "writer.memory_limit_bytes",
       .type = kInteger,
       .field = kAt<&Config::writer, &WriterConfig::memory_limit_bytes>,
       .doc = "Memory for changes that are not committed yet; at the limit firn commits early.",
       .min = kMiB,
       .max = kTiB},

      {.path = "cdc.mode",
       .field = kAt<&Config::cdc, &CdcConfig::mode>,
       .doc = "Keep the table as it is now (`mirror`), a row for every change (`append`), or rows with valid-from and "
              "valid-to (`history`); docs/change_modes.md.",
       .allowed = {"mirror", "append", "history"}},
      {.path = "cdc.enable_deletes",
       .type = kBoolean,
       .field = kAt<&Config::cdc, &CdcConfig::enable_deletes>,
       .doc = "Whether rows deleted in PostgreSQL go. Where not, they stay, marked as deleted."},
      {.path = "cdc.track_changes",
       .type = kBoolean,
       .field = kAt<&Config::cdc, &CdcConfig::track_changes>,
       .doc = "Adds the columns `_firn_op`, `_firn_lsn` and `_firn_committed_at` to mirror tables too."},

      {.path = "tables.*.partition_by",
       .type = kTextList,
       .field = kInTable<&TableConfig::partition_by>,
       .doc =
           "How the table's files are divided: a column, or `year`, `month`, `day`, `hour` of one, `bucket(n, "
           "column)`, "
           "`truncate(n, column)`, as in `[\"day(created_at)\", \"bucket(16, customer_id)\"]` (docs/partitions.md). A "
           "change holds for new files; `[]` ends partitioning.",
       .default_note = "as the table is; a new one is not partitioned"},
      {.path = "tables.*.sort_by",
       .type = kTextList,
       .field = kInTable<&TableConfig::sort_by>,
       .doc =
           "How compaction sorts the table's rows, as in `[region, \"created_at desc nulls last\"]`; what stands for a "
           "column in `partition_by` may stand here, too (docs/maintenance.md). `[]` ends sorting.",
       .default_note = "as the table says; a new one is not sorted"},
      {.path = "tables.*.cdc_mode",
       .field = kInTable<&TableConfig::cdc_mode>,
       .doc = "What a change does to this table.",
       .allowed = {"mirror", "append", "history"},
       .default_note = "`cdc.mode`"},
      {.path = "tables.*.computed",
       .type = kTextMap,
       .field = kInTable<&TableConfig::computed>,
       .doc = "Columns that firn computes from the table's, as in `{region: \"upper(substr(country, 1, 2))\"}` "
              "(docs/partitions.md); `partition_by` may name them."},
      {.path = "tables.*.columns",
       .type = kTextMap,
       .field = kInTable<&TableConfig::columns>,
       .doc = "Other Iceberg types for columns, as in `{amount: \"decimal(38,9)\"}` (docs/types.md)."},
      {.path = "tables.*.unrepresentable",
       .field = kInTable<&TableConfig::unrepresentable>,
       .doc = "What becomes of values of this table that Iceberg can't hold.",
       .allowed = {"error", "clamp", "null", "string"},
       .default_note = "`destination.unrepresentable`"},
      {.path = "tables.*.unrepresentable_columns",
       .type = kTextMap,
       .field = kInTable<&TableConfig::unrepresentable_columns>,
       .doc = "The same for single columns, as in `{valid_to: clamp}`."},

      {.path = "retry.max_retries",
       .type = kInteger,
       .field = kAt<&Config::retry, &RetryConfig::max_retries>,
       .doc = "How often a failed write or commit is tried again.",
       .max = 1000},
      {.path = "retry.base_delay_ms",
       .type = kInteger,
       .field = kAt<&Config::retry, &RetryConfig::base_delay_ms>,
       .doc = "The pause before the first retry; it doubles with each one.",
       .min = 1,
       .max = kDayMs},
      {.path = "retry.max_delay_ms",
       .type = kInteger,
       .field = kAt<&Config::retry, &RetryConfig::max_delay_ms>,
       .doc = "The longest pause between retries.",
       .min = 1,
       .max = kDayMs},

      {.path = "maintenance.compact",
       .field = kAt<&Config::maintenance, &MaintenanceConfig::compact>,
       .doc = "Whether `firn run` joins small files and leaves deleted rows out of others by itself "
              "(docs/maintenance.md). With `off`, `firn maintain compact` does, when it is run.",
       .allowed = {"auto", "off"}},
      {.path = "maintenance.expire",
       .field = kAt<&Config::maintenance, &MaintenanceConfig::expire>,
       .doc = "Whether `firn run` expires old snapshots by itself. With `off`, `firn maintain expire` does.",
       .allowed = {"auto", "off"}},
      {.path = "maintenance.interval",
       .type = kDuration,
       .field = kAt<&Config::maintenance, &MaintenanceConfig::interval>,
       .doc = "How often `firn run` looks for what is to be done for its tables."},
      {.path = "maintenance.max_bytes_per_second",
       .type = kInteger,
       .field = kAt<&Config::maintenance, &MaintenanceConfig::max_bytes_per_second>,
       .doc = "How much of data files `firn run` rewrites a second, at most. 0: no limit.",
       .max = kTiB},
      {.path = "maintenance.snapshot_retention",
       .type = kDuration,
       .field = kAt<&Config::maintenance, &MaintenanceConfig::snapshot_retention>,
       .doc = "How long old snapshots can be read."},
      {.path = "maintenance.max_snapshots",
       .type = kInteger,
       .field = kAt<&Config::maintenance, &MaintenanceConfig::max_snapshots>,
       .doc = "How many snapshots a table's history keeps at most, even if those before are younger than "
              "`maintenance.snapshot_retention`: each commit writes all of them into the metadata file "
              "(docs/maintenance.md). 0: no limit.",
       .max = 1'000'000},
      {.path = "maintenance.orphan_grace",
       .type = kDuration,
       .field = kAt<&Config::maintenance, &MaintenanceConfig::orphan_grace>,
       .doc = "How old a file that no snapshot knows must be before it is removed."},

      {.path = "spark.submit",
       .field = kAt<&Config::spark, &SparkConfig::submit>,
       .doc = "The path of `spark-submit`.",
       .default_note = "`$SPARK_HOME/bin/spark-submit`, else that of `PATH`"},
      {.path = "spark.master",
       .field = kAt<&Config::spark, &SparkConfig::master>,
       .doc =
           "Which Spark: `local[4]`, `yarn`, `k8s://…`, `spark://…`, or `sc://host:15002` for a Spark Connect server.",
       .default_note = "as `spark-defaults.conf` says"},
      {.path = "spark.packages",
       .type = kTextList,
       .field = kAt<&Config::spark, &SparkConfig::packages>,
       .doc = "What Spark loads from Maven, as in `[\"org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:1.12.0\"]`.",
       .default_note = "none: Spark has Iceberg's runtime already"},
      {.path = "spark.jars",
       .type = kTextList,
       .field = kAt<&Config::spark, &SparkConfig::jars>,
       .doc = "The same from files."},
      {.path = "spark.conf",
       .type = kTextMap,
       .field = kAt<&Config::spark, &SparkConfig::conf>,
       .doc = "Spark's own settings, as in `{spark.executor.instances: \"8\"}`. What names the catalog and its secrets "
              "is made from the sections `catalog` and `storage`.",
       .secret = true},
      {.path = "spark.rewrite_options",
       .type = kTextMap,
       .field = kAt<&Config::spark, &SparkConfig::rewrite_options>,
       .doc = "Options of `rewrite_data_files`, over those that firn gives, as in `{max-file-group-size-bytes: "
              "\"10737418240\"}`."},

      {.path = "state_dir",
       .field = +[](Config& config) -> std::string& { return config.state_dir; },
       .doc = "A local cache: the primary-key index and spooled transactions. Safe to lose: it is made again from the "
              "tables.",
       .default_note = "`/var/lib/firn` for root, else `$XDG_STATE_HOME/firn` or `~/.local/state/firn`"},
      {.path = "http.listen",
       .field = kAt<&Config::http, &HttpConfig::listen>,
       .doc = "Serves the status page, `/metrics`, `/status`, `/healthz` and `/readyz` on this `host:port`; port 0 "
              "takes a free one. "
              "Reading it needs no token: keep it on a private address.",
       .default_note = "no HTTP server",
       .example = "\"127.0.0.1:9090\""},
      {.path = "http.token",
       .field = kAt<&Config::http, &HttpConfig::token>,
       .doc = "Who knows it may act on the pipeline through the page: pause and resume it, copy a table again "
              "([operations.md](operations.md#acting-through-the-page)). At least 16 characters, as `openssl rand -hex "
              "24` gives; it is asked for by the page and sent by scripts.",
       .default_note = "no actions",
       .secret = true},
      {.path = "log.level",
       .field = kAt<&Config::log, &LogConfig::level>,
       .doc = "The least important messages to write.",
       .allowed = {"debug", "info", "warn", "error"}},
      {.path = "log.format",
       .field = kAt<&Config::log, &LogConfig::format>,
       .doc = "Log lines as text, or as one JSON object each.",
       .allowed = {"text", "json"}},
  };
}

std::string QuotedIfNeeded(const std::string& text) {
  return text.find_first_of("{}[]*!:#") == std::string::npos ? text : fmt::format("\"{}\"", text);
}

}  // namespace

std::string_view ToString(KeyType type) {
  switch (type) {
    case KeyType::kText:
      return "a text";
    case KeyType::kInteger:
      return "an integer";
    case KeyType::kBoolean:
      return "true or false";
    case KeyType::kDuration:
      return "a duration, as in 30m, 12h or 7d";
    case KeyType::kTextList:
      return "a list, as in [a, b]";
    case KeyType::kTextMap:
      return "a map, as in {name: value}";
  }
  return "a value";
}

std::span<const ConfigKey> ConfigKeys() {
  static const std::vector<ConfigKey> keys = MakeKeys();
  return keys;
}

const ConfigKey* FindKey(std::string_view path) {
  const auto keys = ConfigKeys();
  const auto found = std::ranges::find(keys, path, &ConfigKey::path);
  return found == keys.end() ? nullptr : &*found;
}

std::span<const ConfigSection> ConfigSections() {
  static const std::vector<ConfigSection> sections = {
      {"source", "The PostgreSQL database to replicate."},
      {"catalog", "The Iceberg catalog, and where the tables' files go."},
      {"catalog.sigv4", "Signs the requests to a `rest` catalog as AWS does."},
      {"storage", "Access to the warehouse's files: only what the environment does not say (docs/stores.md)."},
      {"storage.s3", "Amazon S3 and stores like it."},
      {"storage.gcs", "Google Cloud Storage."},
      {"storage.azure", "Azure Data Lake Storage."},
      {"destination", "The Iceberg tables that firn makes."},
      {"writer", "How changes become files and commits."},
      {"cdc", "What a change does to the Iceberg table."},
      {"tables", "Settings of single tables, by the source's `schema.table`."},
      {"retry", "What to do when the network, the store or the catalog fails for a while."},
      {"maintenance", "Upkeep of the tables while firn runs."},
      {"spark",
       "The Spark of `firn maintain compact --engine spark` (docs/maintenance.md) and `firn run --copy-engine spark` "
       "(docs/tables.md)."},
      {"http", "The pipeline's own HTTP server."},
      {"log", "The log on stderr."},
  };
  return sections;
}

std::string PlainText(std::string_view markdown) {
  std::string text;
  while (!markdown.empty()) {
    const size_t open = markdown.find('[');
    const size_t middle = markdown.find("](", open == std::string_view::npos ? markdown.size() : open);
    const size_t close = markdown.find(')', middle == std::string_view::npos ? markdown.size() : middle);
    // "[a, b]" is a list; a link's text has no bracket.
    const bool is_link = close != std::string_view::npos && markdown.find('[', open + 1) > middle;
    if (!is_link) {
      const size_t end = open == std::string_view::npos ? markdown.size() : open + 1;
      text += markdown.substr(0, end);
      markdown.remove_prefix(end);
      continue;
    }
    const std::string_view target = markdown.substr(middle + 2, close - middle - 2);
    text += fmt::format("{}docs/{}", markdown.substr(0, open), target.substr(0, target.find('#')));
    markdown.remove_prefix(close + 1);
  }
  std::erase(text, '`');
  return text;
}

std::string EnvironmentName(const ConfigKey& key) {
  if (key.path.starts_with("tables.")) return "FIRN_TABLES";
  std::string name = fmt::format("FIRN_{}", key.path);
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return c == '.' ? '_' : static_cast<char>(std::toupper(c)); });
  return name;
}

std::string DefaultText(const ConfigKey& key) {
  Config config;
  struct Visitor {
    Config& config;
    std::string operator()(ConfigField<std::string> field) const { return QuotedIfNeeded(field(config)); }
    std::string operator()(ConfigField<int> field) const { return fmt::to_string(field(config)); }
    std::string operator()(ConfigField<int64_t> field) const { return fmt::to_string(field(config)); }
    std::string operator()(ConfigField<bool> field) const { return field(config) ? "true" : "false"; }
    std::string operator()(ConfigField<TextList>) const { return ""; }
    std::string operator()(ConfigField<TextMap>) const { return ""; }
    std::string operator()(TableField<std::string>) const { return ""; }
    std::string operator()(TableField<std::optional<TextList>>) const { return ""; }
    std::string operator()(TableField<TextMap>) const { return ""; }
    std::string operator()(CatalogOption) const { return ""; }
    std::string operator()(StorageOption) const { return ""; }
  };
  return std::visit(Visitor{config}, key.field);
}

}  // namespace firn::config
