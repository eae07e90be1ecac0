#include "config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "config/config_keys.h"
#include "testing/temporary_folder.h"

namespace firn::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using Environment = std::map<std::string, std::string>;

const Environment kHome = {{"HOME", "/home/firn"}};
constexpr const char* kRequired = "source:\n  url: postgresql://firn@db/shop\ncatalog:\n  warehouse: /lake\n";

Config Parsed(const std::string& yaml, Environment environment = {}) {
  environment.insert(kHome.begin(), kHome.end());
  auto config = ParseConfig(yaml, "firn.yaml", environment);
  if (!config) {
    ADD_FAILURE() << config.error().message();
    return {};
  }
  return *std::move(config);
}

/// The message of the error, after checking its kind.
std::string Refused(const std::string& yaml, Environment environment = {}) {
  environment.insert(kHome.begin(), kHome.end());
  const auto config = ParseConfig(yaml, "firn.yaml", environment);
  if (config) {
    ADD_FAILURE() << "this was accepted:\n" << yaml;
    return "";
  }
  EXPECT_EQ(config.error().kind(), ErrorKind::kInvalidConfig);
  return config.error().message();
}

/// What is wrong with the required keys and these lines after them (the first is line 5).
std::string RefusedAfterRequired(const std::string& yaml) { return Refused(kRequired + yaml); }

TEST(ParseConfig, AShardHasItsNumberInItsNames) {
  const auto source_of = [](const std::string& more) {
    return Parsed("source: {url: postgresql://firn@db/shop, " + more + "}\ncatalog: {warehouse: /lake}\n").source;
  };
  EXPECT_EQ(source_of("shard: 2/4").slot, "firn_2");
  EXPECT_EQ(source_of("shard: 2/4").publication, "firn_2");
  EXPECT_EQ(source_of("shard: 2/4, slot: 'shop_{shard}_a', publication: all_tables").slot, "shop_2_a");
  EXPECT_EQ(source_of("shard: 2/4, slot: 'shop_{shard}_a', publication: all_tables").publication, "all_tables");
  EXPECT_THAT(Refused("source: {url: postgresql://firn@db/shop, shard: 5/4}\ncatalog: {warehouse: /lake}\n"),
              HasSubstr("firn.yaml:1: source.shard: '5/4' is no shard"));
}

TEST(ParseConfig, FillsDefaults) {
  const Config config = Parsed(kRequired);
  EXPECT_EQ(config.source.url, "postgresql://firn@db/shop");
  EXPECT_EQ(config.source.slot, "firn");
  EXPECT_EQ(config.source.publication, "firn");
  EXPECT_THAT(config.source.tables, ElementsAre());
  EXPECT_EQ(config.source.copy_workers, 4);
  EXPECT_EQ(config.catalog.type, "sql");
  EXPECT_EQ(config.catalog.name, "firn");
  EXPECT_EQ(config.catalog.warehouse, "/lake");
  EXPECT_EQ(config.catalog.uri, "sqlite:///lake/catalog.db");
  EXPECT_EQ(config.destination.name_space, "{schema}");
  EXPECT_EQ(config.writer.target_file_size_bytes, 536'870'912);
  EXPECT_EQ(config.retry.max_retries, 10);
  EXPECT_EQ(config.http.listen, "");
  EXPECT_EQ(config.log.level, "info");
}

TEST(ParseConfig, ReadsEveryKindOfValue) {
  const Config config = Parsed(R"(
source:
  url: postgresql://firn@db:5432/shop
  publication: shop
  slot: shop_1
  tables: ["public.*", "!public.audit_*"]
  copy_workers: 8
catalog:
  type: sql
  uri: sqlite:////srv/catalog.db
  name: lake
  warehouse: file:///srv/lake/
destination: {namespace: raw, table_prefix: shop_, format_version: 2, deletes: position}
writer:
  target_file_size_bytes: 1048576
  max_open_files: 3
  compression: snappy
  batch_size: 500
  commit_interval_ms: 250
  memory_limit_bytes: 1073741824
cdc: {mode: mirror, enable_deletes: true, track_changes: false}
retry: {max_retries: 0, base_delay_ms: 1, max_delay_ms: 5}
maintenance: {compact: "off", expire: auto, interval: 30s, max_bytes_per_second: 0, snapshot_retention: 7d}
state_dir: /srv/state
http: {listen: "[::1]:9090"}
log: {level: debug, format: json}
)");
  EXPECT_EQ(config.source.publication, "shop");
  EXPECT_EQ(config.source.slot, "shop_1");
  EXPECT_THAT(config.source.tables, ElementsAre("public.*", "!public.audit_*"));
  EXPECT_EQ(config.source.copy_workers, 8);
  EXPECT_EQ(config.catalog.uri, "sqlite:////srv/catalog.db");
  EXPECT_EQ(config.catalog.name, "lake");
  EXPECT_EQ(config.catalog.warehouse, "/srv/lake");
  EXPECT_EQ(config.destination.name_space, "raw");
  EXPECT_EQ(config.destination.table_prefix, "shop_");
  EXPECT_EQ(config.writer.target_file_size_bytes, 1'048'576);
  EXPECT_EQ(config.writer.max_open_files, 3);
  EXPECT_EQ(config.writer.compression, "snappy");
  EXPECT_EQ(config.writer.batch_size, 500);
  EXPECT_EQ(config.writer.commit_interval_ms, 250);
  EXPECT_EQ(config.writer.memory_limit_bytes, 1'073'741'824);
  EXPECT_EQ(config.retry.max_retries, 0);
  EXPECT_EQ(config.retry.max_delay_ms, 5);
  EXPECT_EQ(config.state_dir, "/srv/state");
  EXPECT_EQ(config.http.listen, "[::1]:9090");
  EXPECT_EQ(config.log.level, "debug");
  EXPECT_EQ(config.log.format, "json");
}

TEST(ParseConfig, ReportsEveryProblemInTheOrderOfTheLines) {
  EXPECT_EQ(Refused("sorce:\n"
                    "  url: x\n"
                    "writer:\n"
                    "  batch_size: many\n"
                    "  compression: zst\n"
                    "log: {level: loud}\n"),
            "firn.yaml: source.url is missing: the database to read, as in postgresql://firn@localhost:5432/shop\n"
            "firn.yaml: catalog.warehouse is missing: where the tables' files go, as in /var/lib/firn/lake\n"
            "firn.yaml:1: unknown key 'sorce' (did you mean 'source'?)\n"
            "firn.yaml:4: writer.batch_size: expected an integer, found 'many'\n"
            "firn.yaml:5: writer.compression: 'zst' is not allowed; use snappy, zstd, gzip, lz4 or none "
            "(did you mean 'zstd'?)\n"
            "firn.yaml:6: log.level: 'loud' is not allowed; use debug, info, warn or error");
}

TEST(ParseConfig, SaysWhichSectionAKeyBelongsTo) {
  EXPECT_EQ(RefusedAfterRequired("commit_interval_ms: 5\n"),
            "firn.yaml:5: unknown key 'commit_interval_ms' (did you mean 'writer.commit_interval_ms'?)");
  EXPECT_EQ(RefusedAfterRequired("http:\n  prot: 1\n"),
            "firn.yaml:6: unknown key 'http.prot' ('http' has listen, token)");
}

TEST(ParseConfig, WantsATokenThatIsNotGuessedAndAPlaceToUseIt) {
  EXPECT_EQ(RefusedAfterRequired("http: {listen: \"127.0.0.1:9090\", token: secret}\n"),
            "firn.yaml:5: http.token: it has fewer than 16 characters, and could be guessed");
  EXPECT_EQ(RefusedAfterRequired("http: {token: 0123456789abcdef}\n"),
            "firn.yaml:5: http.token: it has no use without http.listen");
}

TEST(ParseConfig, RefusesAKeyThatIsGivenTwice) {
  EXPECT_EQ(RefusedAfterRequired("log: {level: info}\nlog: {level: warn}\n"),
            "firn.yaml:6: 'log' is given twice (first in line 5)");
  EXPECT_EQ(RefusedAfterRequired("log:\n  level: info\n  level: warn\n"),
            "firn.yaml:7: 'log.level' is given twice (first in line 6)");
}

TEST(ParseConfig, ChecksTypes) {
  EXPECT_EQ(RefusedAfterRequired("writer: {batch_size: 1.5}\n"),
            "firn.yaml:5: writer.batch_size: expected an integer, found '1.5'");
  EXPECT_EQ(RefusedAfterRequired("writer: {batch_size: 99999999999999999999}\n"),
            "firn.yaml:5: writer.batch_size: expected an integer, found '99999999999999999999'");
  EXPECT_EQ(RefusedAfterRequired("writer: {batch_size: [1]}\n"),
            "firn.yaml:5: writer.batch_size: expected an integer, found a list");
  EXPECT_EQ(RefusedAfterRequired("cdc: {enable_deletes: yes}\n"),
            "firn.yaml:5: cdc.enable_deletes: expected true or false, found 'yes'");
  EXPECT_EQ(RefusedAfterRequired("maintenance: {orphan_grace: 3 days}\n"),
            "firn.yaml:5: maintenance.orphan_grace: expected a duration, as in 30m, 12h or 7d, found '3 days'");
  EXPECT_EQ(RefusedAfterRequired("writer: 5\n"), "firn.yaml:5: writer: expected keys and values below it");
  EXPECT_EQ(Refused("[a, b]\n").substr(0, 70),
            "firn.yaml: source.url is missing: the database to read, as in postgres");
  EXPECT_THAT(Refused("[a, b]\n"), HasSubstr("firn.yaml:1: expected keys and values"));
}

TEST(ParseConfig, ExpectsAListOfTables) {
  const std::string start = "catalog: {warehouse: /lake}\nsource:\n  url: postgresql://db\n  tables: ";
  EXPECT_EQ(Refused(start + "public.*\n"),
            "firn.yaml:4: source.tables: expected a list, as in [a, b], found a single value");
  EXPECT_EQ(Refused(start + "[public.*, [x]]\n"), "firn.yaml:4: source.tables: expected a text");
  EXPECT_EQ(Refused(start + "[orders, \"!items\"]\n"),
            "firn.yaml:4: source.tables: 'orders' has no schema (did you mean 'public.orders'?)\n"
            "firn.yaml:4: source.tables: '!items' has no schema (did you mean '!public.items'?)");
  EXPECT_EQ(Refused(start + "[\"!\"]\n"),
            "firn.yaml:4: source.tables: '!' is no pattern; write schema.table, as in public.*");
}

TEST(ParseConfig, ExplainsTheQuotesThatYamlWants) {
  EXPECT_EQ(Refused("catalog: {warehouse: /lake}\nsource:\n  url: postgresql://db\n  tables: [public.*, !public.x]\n"),
            "firn.yaml:4: source.tables: put quotes around a text that starts with '!'");
  EXPECT_EQ(RefusedAfterRequired("destination:\n  namespace: {schema}\n"),
            "firn.yaml:6: destination.namespace: expected a text, found a map; put quotes around a text that starts "
            "with '{' or '['");
}

TEST(ParseConfig, ChecksRanges) {
  EXPECT_EQ(RefusedAfterRequired("writer: {max_open_files: 0}\n"),
            "firn.yaml:5: writer.max_open_files: 0 is out of range; it must be from 1 to 10000");
  EXPECT_EQ(RefusedAfterRequired("retry: {max_retries: -1}\n"),
            "firn.yaml:5: retry.max_retries: -1 is out of range; it must be from 0 to 1000");
  EXPECT_EQ(RefusedAfterRequired("retry: {base_delay_ms: 100, max_delay_ms: 50}\n"),
            "firn.yaml:5: retry.max_delay_ms: must not be less than retry.base_delay_ms (100)");
}

TEST(ParseConfig, ChecksFormsOfTheirOwn) {
  EXPECT_THAT(Refused("source: {url: shop}\ncatalog: {warehouse: /lake}\n"),
              StartsWith("firn.yaml:1: source.url: expected postgresql://"));
  EXPECT_THAT(Refused("source: {url: postgresql://db, slot: My-Slot}\ncatalog: {warehouse: /lake}\n"),
              StartsWith("firn.yaml:1: source.slot: 'My-Slot' is no slot name"));
  EXPECT_THAT(Refused("source: {url: postgresql://db}\ncatalog: {warehouse: /lake, uri: catalog.db}\n"),
              StartsWith("firn.yaml:2: catalog.uri: expected sqlite:///"));
  EXPECT_THAT(Refused("source: {url: postgresql://db}\ncatalog: {warehouse: /lake, uri: postgresql+psycopg2://db}\n"),
              HasSubstr("without a Python driver's name"));
  EXPECT_THAT(RefusedAfterRequired("destination: {namespace: \"{shema}\"}\n"),
              StartsWith("firn.yaml:5: destination.namespace: expected a name, or one with {schema}"));
  EXPECT_THAT(RefusedAfterRequired("http: {listen: localhost}\n"),
              StartsWith("firn.yaml:5: http.listen: 'localhost' is no address to listen on: the port is missing"));
  EXPECT_THAT(RefusedAfterRequired("tables: {orders: {partition_by: []}}\n"),
              StartsWith("firn.yaml:5: tables: 'orders' is no table"));
}

TEST(ParseConfig, ReadsACatalogInPostgresql) {
  EXPECT_EQ(Parsed("source: {url: postgresql://db}\ncatalog: {warehouse: /lake, uri: \"postgresql://db/lake\"}\n")
                .catalog.uri,
            "postgresql://db/lake");
}

TEST(ParseConfig, ReadsAGlueCatalog) {
  const std::string start = "source: {url: postgresql://db}\ncatalog: {type: glue, warehouse: /lake";
  const Config config = Parsed(start + ", region: eu-central-1, access_key_id: id, secret_access_key: hunter2}\n");
  EXPECT_EQ(config.catalog.options.at("region"), "eu-central-1");
  EXPECT_EQ(config.catalog.uri, "");
  EXPECT_EQ(config.catalog.options.at("secret_access_key"), "hunter2");
}

TEST(ParseConfig, TakesGluesRegionFromTheEnvironment) {
  const std::string yaml = "source: {url: postgresql://db}\ncatalog: {type: glue, warehouse: /lake}\n";
  const auto region = [&](const Environment& environment) {
    return Parsed(yaml, environment).catalog.options.at("region");
  };
  EXPECT_EQ(region({{"AWS_DEFAULT_REGION", "eu-west-1"}}), "eu-west-1");
  EXPECT_EQ(region({{"AWS_DEFAULT_REGION", "eu-west-1"}, {"AWS_REGION", "eu-north-1"}}), "eu-north-1");
  EXPECT_THAT(Refused(yaml), HasSubstr("catalog.region is missing: the AWS region"));
}

TEST(ParseConfig, ChecksWhatAGlueCatalogNeeds) {
  const std::string start = "source: {url: postgresql://db}\ncatalog: {type: glue, warehouse: /lake, region: eu-west-1";
  EXPECT_EQ(
      Refused(start + ", uri: \"https://glue\"}\n"),
      "firn.yaml:2: catalog.uri: a catalog of type glue is found by catalog.region, and by catalog.endpoint where "
      "that is another address");
  EXPECT_EQ(Refused(start + ", endpoint: localhost}\n"),
            "firn.yaml:2: catalog.endpoint: expected http://… or https://…");
  EXPECT_EQ(Refused(start + ", session_token: hunter2}\n"),
            "firn.yaml:2: catalog.session_token: it belongs to catalog.access_key_id, which is missing");
  EXPECT_THAT(Refused(start + ", access_key_id: hunter2}\n"),
              AllOf(HasSubstr("catalog.secret_access_key is missing"), Not(HasSubstr("hunter2"))));
  EXPECT_EQ(Refused(start + "}\ndestination: {namespace: \"Shop.{schema}\"}\n"),
            "firn.yaml:3: destination.namespace: Glue's names have one level, of lower-case letters, digits and '_'");
  EXPECT_EQ(
      Refused(start + "}\ndestination: {table_prefix: PG_}\n"),
      "firn.yaml:3: destination.table_prefix: Glue's names have one level, of lower-case letters, digits and '_'");
  EXPECT_EQ(Refused("source: {url: postgresql://db}\ncatalog: {warehouse: /lake, region: eu-west-1}\n"),
            "firn.yaml:2: catalog.region: only a catalog of type glue has it");
}

TEST(ParseConfig, ReadsARestCatalog) {
  const std::string source = "source: {url: postgresql://db}\n";
  const Config config = Parsed(source +
                               "catalog:\n"
                               "  type: rest\n"
                               "  uri: https://catalog/api\n"
                               "  warehouse: shop\n"
                               "  credential: id:secret\n"
                               "  scope: lake\n"
                               "  headers: {X-Realm: a}\n"
                               "  sigv4: {region: eu-north-1, service: glue}\n");
  EXPECT_EQ(config.catalog.uri, "https://catalog/api");
  EXPECT_EQ(config.catalog.warehouse, "shop") << "a name, not a folder";
  EXPECT_EQ(config.catalog.options.at("credential"), "id:secret");
  EXPECT_EQ(config.catalog.options.at("sigv4.service"), "glue");
  EXPECT_EQ(config.catalog.headers.at("X-Realm"), "a");
  EXPECT_EQ(Parsed(source + "catalog: {type: rest, uri: \"http://localhost:8181\"}\n").catalog.warehouse, "");
  EXPECT_EQ(
      Parsed(source + "catalog: {type: rest, uri: \"http://h\", warehouse: \"file:///lake/\"}\n").catalog.warehouse,
      "/lake");
}

TEST(ParseConfig, ChecksWhatARestCatalogNeeds) {
  const std::string start = "source: {url: postgresql://db}\ncatalog: {type: rest, ";
  EXPECT_EQ(Refused(start + "warehouse: shop}\n"), "firn.yaml: catalog.uri is missing: the catalog's address");
  EXPECT_EQ(Refused(start + "uri: \"http://h\", credential: \"a:hunter2\", token: hunter2}\n"),
            "firn.yaml:2: catalog.token: there is catalog.credential too; firn says who it is by one of them");
  EXPECT_EQ(Refused(start + "uri: \"http://h\", scope: lake}\n"),
            "firn.yaml:2: catalog.scope: it is for asking for tokens, which needs catalog.credential");
  EXPECT_THAT(Refused(start + "uri: \"http://h\", sigv4: {region: eu-north-1}}\n"),
              HasSubstr("catalog.sigv4.service is missing: requests are signed for a region and a service"));
  EXPECT_THAT(Refused(start + "uri: \"http://h\", access_key_id: hunter2}\n"),
              AllOf(HasSubstr("catalog.secret_access_key is missing"), Not(HasSubstr("hunter2"))));
  EXPECT_EQ(Refused(start + "uri: \"http://h\", headers: {\"a b\": hunter2}}\n"),
            "firn.yaml:2: catalog.headers: 'a b' can't be an HTTP header");
  EXPECT_EQ(Refused("source: {url: postgresql://db}\ncatalog: {warehouse: /lake, credential: \"a:hunter2\"}\n"),
            "firn.yaml:2: catalog.credential: only a catalog of type rest has it");
}

TEST(ParseConfig, ReadsLibpqWordsAsSource) {
  EXPECT_EQ(Parsed("source: {url: \"service=shop\"}\ncatalog: {warehouse: /lake}\n").source.url, "service=shop");
}

TEST(ParseConfig, TellsTheLineOfBrokenYaml) {
  EXPECT_EQ(Refused("source:\n  url: a: b\n"), "firn.yaml:2: not valid YAML: illegal map value");
  EXPECT_THAT(Refused("source: {url: x\n"), StartsWith("firn.yaml:2: not valid YAML"));
  EXPECT_THAT(Refused(std::string(kRequired) + "---\nlog: {}\n"), HasSubstr("a second YAML document"));
}

TEST(ParseConfig, TakesEmptySectionsAndKeysAsDefaults) {
  const Config config = Parsed(std::string(kRequired) + "writer:\nlog:\n  level:\n");
  EXPECT_EQ(config.log.level, "info");
  EXPECT_EQ(config.writer.batch_size, 1000);
}

TEST(ParseConfig, ExpandsVariables) {
  const Config config = Parsed(
      "source: {url: \"postgresql://firn:${PASSWORD}@${HOST:-db}/shop\", tables: [\"${SCHEMA}.*\"]}\n"
      "catalog: {warehouse: /lake}\n"
      "writer: {batch_size: \"${BATCH}\"}\n"
      "destination: {table_prefix: a$$b}\n",
      {{"PASSWORD", "s3cret"}, {"SCHEMA", "sales"}, {"BATCH", "7"}});
  EXPECT_EQ(config.source.url, "postgresql://firn:s3cret@db/shop");
  EXPECT_THAT(config.source.tables, ElementsAre("sales.*"));
  EXPECT_EQ(config.writer.batch_size, 7);
  EXPECT_EQ(config.destination.table_prefix, "a$b");
}

TEST(ParseConfig, NamesTheLineOfAVariableThatIsMissing) {
  EXPECT_THAT(RefusedAfterRequired("state_dir: ${STATE}\n"),
              AllOf(StartsWith("firn.yaml:5: state_dir: "), HasSubstr("STATE is not set")));
}

TEST(ParseConfig, LaysTheEnvironmentOverTheFile) {
  const Config config =
      Parsed(std::string(kRequired) + "log: {level: warn}\n", {{"FIRN_SOURCE_URL", "postgresql://other/db"},
                                                               {"FIRN_SOURCE_TABLES", "public.*, !public.audit_*"},
                                                               {"FIRN_WRITER_BATCH_SIZE", "9"},
                                                               {"FIRN_LOG_LEVEL", ""},
                                                               {"FIRN_SERVICE_HOST", "10.0.0.1"}});
  EXPECT_EQ(config.source.url, "postgresql://other/db");
  EXPECT_THAT(config.source.tables, ElementsAre("public.*", "!public.audit_*"));
  EXPECT_EQ(config.writer.batch_size, 9);
  EXPECT_EQ(config.log.level, "warn");
}

TEST(ParseConfig, NeedsNoFileWhenTheEnvironmentHoldsAll) {
  const Config config = Parsed("", {{"FIRN_SOURCE_URL", "postgresql://db"},
                                    {"FIRN_CATALOG_WAREHOUSE", "/lake"},
                                    {"FIRN_SOURCE_TABLES", "[\"public.orders\"]"}});
  EXPECT_EQ(config.source.url, "postgresql://db");
  EXPECT_THAT(config.source.tables, ElementsAre("public.orders"));
}

TEST(ParseConfig, DoesNotExpandVariablesInTheEnvironmentForm) {
  EXPECT_EQ(Parsed(kRequired, {{"FIRN_SOURCE_URL", "postgresql://u:a${b}$$c@db"}}).source.url,
            "postgresql://u:a${b}$$c@db");
}

TEST(ParseConfig, NamesTheVariableThatIsWrong) {
  EXPECT_EQ(Refused(kRequired, {{"FIRN_WRITER_BATCH_SIZE", "x"}}),
            "FIRN_WRITER_BATCH_SIZE: writer.batch_size: expected an integer, found 'x'");
  EXPECT_EQ(Refused(kRequired, {{"FIRN_CATALOG_URL", "x"}}),
            "FIRN_CATALOG_URL: unknown variable (did you mean 'FIRN_CATALOG_URI'?)");
  EXPECT_EQ(Refused(kRequired, {{"FIRN_TABLES", "{public.orders: {patition_by: [a]}}"}}),
            "FIRN_TABLES: unknown key 'tables.public.orders.patition_by' (did you mean 'tables.*.partition_by'?)");
}

TEST(ParseConfig, TakesStoresByTheirLocation) {
  const Config config = Parsed(
      "source: {url: postgresql://db}\n"
      "catalog: {warehouse: s3://lake/shop, uri: sqlite:///srv/catalog.db}\n"
      "storage:\n"
      "  s3: {endpoint: \"http://127.0.0.1:9000\", path_style: true, access_key_id: id, secret_access_key: hunter2}\n"
      "  azure: {account: shop}\n");
  EXPECT_EQ(config.catalog.warehouse, "s3://lake/shop");
  EXPECT_EQ(config.storage.at("s3").at("endpoint"), "http://127.0.0.1:9000");
  EXPECT_EQ(config.storage.at("s3").at("path_style"), "true");
  EXPECT_EQ(config.storage.at("azure").at("account"), "shop");
}

TEST(ParseConfig, RefusesWarehousesThatNoStoreHolds) {
  const std::string start = "source: {url: postgresql://db}\ncatalog: {uri: sqlite:///srv/catalog.db, warehouse: ";
  EXPECT_EQ(Refused(start + "\"hdfs://name/lake\"}\n"),
            "firn.yaml:2: catalog.warehouse: expected a path, file://, s3://, gs:// or abfss://");
  EXPECT_EQ(Refused(start + "\"s3://\"}\n"), "firn.yaml:2: catalog.warehouse: names no bucket");
  EXPECT_EQ(Refused(start + "\"s3://id:hunter2@lake/x\"}\n"),
            "firn.yaml:2: catalog.warehouse: a location holds no credentials; write them into storage.s3");
  EXPECT_EQ(Refused(start + "\"abfss://lake/x\"}\n"),
            "firn.yaml:2: catalog.warehouse: which account? write abfss://container@account.dfs.core.windows.net/path, "
            "or set storage.azure.account");
}

TEST(ParseConfig, TellsTheWordNullFromNothing) {
  EXPECT_EQ(RefusedAfterRequired("destination: {unrepresentable: null}\n"),
            "firn.yaml:5: destination.unrepresentable: there is no value; for the word null write \"null\", in quotes");
  EXPECT_THAT(RefusedAfterRequired("tables: {public.t: {unrepresentable_columns: {v: null}}}\n"),
              HasSubstr("tables.public.t.unrepresentable_columns: expected a text; put quotes around the word null"));
}

TEST(ParseConfig, LetsTheFormatVersionChooseTheDeleteForm) {
  const std::string required = "source: {url: postgresql://db}\ncatalog: {warehouse: /lake}\n";
  EXPECT_EQ(Parsed(required).destination.deletes, "");
  EXPECT_EQ(Parsed(required + "destination: {format_version: 3}\n").destination.deletes, "");
  EXPECT_EQ(Parsed(required + "destination: {format_version: 3, deletes: equality}\n").destination.deletes, "equality");
  EXPECT_EQ(Parsed(required + "destination: {deletes: equality}\n").destination.format_version, 2);
  EXPECT_EQ(Refused(required + "destination: {deletes: vector}\n"),
            "firn.yaml:3: destination.deletes: deletion vectors need destination.format_version: 3");
  EXPECT_EQ(
      Refused(required + "destination: {format_version: 3, deletes: position}\n"),
      "firn.yaml:3: destination.deletes: format version 3 has vectors in place of position delete files; set it to "
      "vector, or leave it out");
}

TEST(ParseConfig, NeverShowsAPassword) {
  for (const std::string yaml : {
           "source: {url: \"firn:hunter2@db/shop\"}\ncatalog: {warehouse: /lake}\n",
           "source: {url: [\"postgresql://firn:hunter2@db\"]}\ncatalog: {warehouse: /lake}\n",
           "source: {url: postgresql://db}\ncatalog: {warehouse: /lake, uri: \"mysql://u:hunter2@db\"}\n",
           "source: {url: postgresql://db}\ncatalog: {warehouse: /lake, token: hunter2}\n",
           "source: {url: postgresql://db}\ncatalog: {warehouse: \"s3://u:hunter2@lake/x\"}\n",
           "source: {url: postgresql://db}\ncatalog: {warehouse: /lake}\nlog: {level: \"http://u:hunter2@db\"}\n",
           "source: {url: \"postgresql://firn:${hunter2\"}\ncatalog: {warehouse: /lake}\n",
       }) {
    EXPECT_THAT(Refused(yaml), Not(HasSubstr("hunter2"))) << yaml;
  }
}

TEST(ParseConfig, FindsTheStateDirectory) {
  if (geteuid() == 0) {
    EXPECT_EQ(Parsed(kRequired).state_dir, "/var/lib/firn");
    return;
  }
  EXPECT_EQ(Parsed(kRequired).state_dir, "/home/firn/.local/state/firn");
  EXPECT_EQ(Parsed(kRequired, {{"XDG_STATE_HOME", "/state"}}).state_dir, "/state/firn");
}

TEST(ParseConfig, MakesARelativeWarehouseAbsolute) {
  const Config config = Parsed("source: {url: postgresql://db}\ncatalog: {warehouse: ./demo/lake/}\n");
  EXPECT_EQ(config.catalog.warehouse, (std::filesystem::current_path() / "demo/lake").string());
  EXPECT_EQ(config.catalog.uri, "sqlite://" + config.catalog.warehouse + "/catalog.db");
}

TEST(LoadConfig, SaysWhatToDoWithoutAFile) {
  const auto missing = LoadConfig("/nonexistent/firn.yaml");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().kind(), ErrorKind::kInvalidConfig);
  EXPECT_THAT(missing.error().message(),
              AllOf(HasSubstr("/nonexistent/firn.yaml: No such file"), HasSubstr("firn config example")));
  EXPECT_THAT(LoadConfig("/").error().message(), HasSubstr("cannot read the configuration /: Is a directory"));
}

TEST(LoadConfig, ReadsTheFile) {
  const firn::testing::TemporaryFolder folder;
  const std::string path = folder / "firn.yaml";
  std::ofstream(path) << kRequired << "state_dir: /srv\n";
  const auto config = LoadConfig(path);
  ASSERT_TRUE(config.has_value()) << config.error().message();
  EXPECT_EQ(config->state_dir, "/srv");
}

TEST(MakeDirectConfig, KeepsCatalogAndStateInTheWarehouse) {
  const auto config = MakeDirectConfig("postgresql://db/shop", "/srv/lake/", {"public.orders"}, {});
  ASSERT_TRUE(config.has_value()) << config.error().message();
  EXPECT_EQ(config->catalog.type, "sql");
  EXPECT_EQ(config->catalog.name, "firn");
  EXPECT_EQ(config->catalog.warehouse, "/srv/lake");
  EXPECT_EQ(config->catalog.uri, "sqlite:///srv/lake/catalog.db");
  EXPECT_EQ(config->state_dir, "/srv/lake/.firn");
  EXPECT_EQ(config->source.slot, "firn");
  EXPECT_EQ(config->source.publication, "firn");
  EXPECT_THAT(config->source.tables, ElementsAre("public.orders"));
}

TEST(MakeDirectConfig, NamesTheOptionThatIsWrong) {
  const auto config = MakeDirectConfig("db:hunter2", "s3://lake", {"orders"}, kHome);
  ASSERT_FALSE(config.has_value());
  EXPECT_EQ(config.error().kind(), ErrorKind::kInvalidConfig);
  EXPECT_EQ(config.error().message(),
            "--source: source.url: expected postgresql://user@host:port/database or libpq's key=value words\n"
            "--tables: source.tables: 'orders' has no schema (did you mean 'public.orders'?)");
}

TEST(MakeDirectConfig, KeepsCatalogAndStateOfAUriOnThisMachine) {
  const Environment environment = {{"FIRN_STATE_DIR", "/srv/state"}};
  auto config = MakeDirectConfig("postgresql://db/shop", "s3://lake/shop", {}, environment);
  ASSERT_TRUE(config.has_value()) << config.error().message();
  EXPECT_EQ(config->catalog.warehouse, "s3://lake/shop");
  EXPECT_EQ(config->catalog.uri, "sqlite:///srv/state/catalog.db");
  EXPECT_EQ(config->state_dir, "/srv/state");

  const std::string folder =
      std::string(geteuid() == 0 ? "/var/lib/firn" : "/home/firn/.local/state/firn") + "/warehouses/s3/lake/_../shop";
  config = MakeDirectConfig("postgresql://db/shop", "s3://lake/../shop/", {}, kHome);
  ASSERT_TRUE(config.has_value()) << config.error().message();
  EXPECT_EQ(config->state_dir, folder);
  EXPECT_EQ(config->catalog.uri, "sqlite://" + folder + "/catalog.db");
}

TEST(ParseLakeConfig, TakesCatalogAndStorageAlone) {
  const auto config =
      ParseLakeConfig("catalog: {type: rest, uri: 'https://catalog'}\nstorage: {s3: {region: '${R}'}}", "c",
                      {{"R", "eu-west-1"},
                       {"FIRN_CATALOG_WAREHOUSE", "shop"},
                       {"FIRN_SOURCE_URL", "no url"},
                       {"FIRN_WRITER_BATCH_SIZE", "many"}});
  ASSERT_TRUE(config.has_value()) << config.error().message();
  EXPECT_EQ(config->catalog.warehouse, "shop");
  EXPECT_EQ(config->storage.at("s3").at("region"), "eu-west-1");
  EXPECT_EQ(config->source.url, "");

  const auto local = ParseLakeConfig("catalog: {warehouse: /lake}", "c", {});
  ASSERT_TRUE(local.has_value()) << local.error().message();
  EXPECT_EQ(local->catalog.uri, "sqlite:///lake/catalog.db");

  const auto refused =
      ParseLakeConfig("catalog: {type: rest}\nwriter: {batch_size: 1}\ntables: {public.a: {}}\nlog: 1", "c", {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message(),
              AllOf(HasSubstr("catalog.uri is missing"),
                    HasSubstr("c:2: writer.batch_size: only catalog and storage are set here"), HasSubstr("c:4: log")));
}
TEST(MakeDirectConfig, TakesEveryOtherKeyFromTheEnvironment) {
  const Environment environment = {{"FIRN_SOURCE_URL", "postgresql://other/db"},
                                   {"FIRN_SOURCE_SLOT", "mine"},
                                   {"FIRN_SOURCE_TABLES", "public.a"},
                                   {"FIRN_TABLES", "{public.a: {cdc_mode: append}}"},
                                   {"FIRN_HTTP_LISTEN", "127.0.0.1:9090"}};
  auto config = MakeDirectConfig("postgresql://db/shop", "/srv/lake", {}, environment);
  ASSERT_TRUE(config.has_value()) << config.error().message();
  EXPECT_EQ(config->source.url, "postgresql://db/shop") << "the option goes before the variable";
  EXPECT_EQ(config->source.slot, "mine");
  EXPECT_THAT(config->source.tables, ElementsAre("public.a"));
  EXPECT_EQ(config->tables.at("public.a").cdc_mode, "append");
  EXPECT_EQ(config->http.listen, "127.0.0.1:9090");
  config = MakeDirectConfig("postgresql://db/shop", "/srv/lake", {"public.b"}, environment);
  EXPECT_THAT(config->source.tables, ElementsAre("public.b"));

  config = MakeDirectConfig("postgresql://db/shop", "/srv/lake", {}, {{"FIRN_SOURCE_SLOTT", "x"}});
  ASSERT_FALSE(config.has_value());
  EXPECT_EQ(config.error().message(), "FIRN_SOURCE_SLOTT: unknown variable (did you mean 'FIRN_SOURCE_SLOT'?)");
  config = MakeDirectConfig("postgresql://db/shop", "/srv/lake", {}, {{"FIRN_WRITER_BATCH_SIZE", "many"}});
  ASSERT_FALSE(config.has_value());
  EXPECT_THAT(config.error().message(), StartsWith("FIRN_WRITER_BATCH_SIZE: writer.batch_size: expected an integer"));
}

TEST(MakeDirectConfig, NeedsNoHomeForAFolder) {
  EXPECT_TRUE(MakeDirectConfig("postgresql://db/shop", "/srv/lake", {}, {}).has_value());
}

TEST(Located, PutsThePlaceBeforeAMessageThatBeginsWithAKey) {
  const Config config =
      Parsed(std::string(kRequired) + "tables:\n  public.t:\n    sort_by: [x]\n", {{"FIRN_CDC_MODE", "append"}});
  const auto located = [&](const std::string& message) {
    return Located(config, Error(ErrorKind::kInvalidConfig, message)).message();
  };
  EXPECT_EQ(located("source.url is malformed"), "firn.yaml:2: source.url is malformed");
  EXPECT_EQ(located("tables.public.t.sort_by: 'x y'"), "firn.yaml:7: tables.public.t.sort_by: 'x y'");
  EXPECT_EQ(located("cdc.mode: no"), "FIRN_CDC_MODE: cdc.mode: no");
  EXPECT_EQ(located("source.urls: no"), "source.urls: no");
  EXPECT_EQ(located("state_dir: a default"), "state_dir: a default");
}

TEST(ParseConfig, TellsOfTabs) {
  const std::string message = Refused("source:\n\turl: x\n");
  EXPECT_THAT(message, StartsWith("firn.yaml:2: not valid YAML: "));
  EXPECT_THAT(message, EndsWith("; the line starts with a tab, and YAML takes only spaces there"));
  EXPECT_THAT(Refused("source: [\n"), Not(HasSubstr("tab")));
}

TEST(PlainText, HasNoMarkdown) {
  EXPECT_EQ(PlainText("a `b` ([tables.md](tables.md))."), "a b (docs/tables.md).");
  EXPECT_EQ(PlainText("([operations.md](operations.md#acting)) [x, y] `[a]` (z)"),
            "(docs/operations.md) [x, y] [a] (z)");
  EXPECT_EQ(PlainText("[a, b] and [c](d.md)"), "[a, b] and docs/d.md");
  for (const std::string& text : {ConfigExample(), ConfigJsonSchema()}) EXPECT_THAT(text, Not(HasSubstr("](")));
}

TEST(ConfigExample, IsAValidConfigurationAsItStands) {
  const Config config = Parsed(ConfigExample());
  EXPECT_FALSE(config.source.url.empty());
  EXPECT_THAT(ConfigExample(),
              AllOf(HasSubstr("\n  # commit_interval_ms: 10000\n"), Not(HasSubstr("storage:")), EndsWith("\n")));
}

TEST(ConfigExample, IsValidWithEveryCommentedKeyInUse) {
  std::string yaml;
  std::istringstream lines(ConfigExample());
  for (std::string line; std::getline(lines, line);) {
    const size_t hash = line.find("# ");
    const std::string name = hash == std::string::npos ? "" : line.substr(hash + 2, line.find(':', hash) - hash - 2);
    const bool is_key = !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos;
    yaml += (is_key ? line.erase(hash, 2) : line) + "\n";
  }
  const Config config = Parsed(yaml);
  EXPECT_EQ(config.writer.commit_interval_ms, 10'000);
}

TEST(ConfigJsonSchema, HoldsEveryKey) {
  const auto schema = nlohmann::json::parse(ConfigJsonSchema());
  EXPECT_EQ(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
  EXPECT_EQ(schema["additionalProperties"], false);
  for (const ConfigKey& key : ConfigKeys()) {
    const nlohmann::json* node = &schema;
    std::string_view rest = key.path;
    while (!rest.empty()) {
      const std::string name(rest.substr(0, rest.find('.')));
      rest = rest.size() == name.size() ? "" : rest.substr(name.size() + 1);
      node = name == "*" ? &node->at("additionalProperties") : &node->at("properties").at(name);
    }
    EXPECT_TRUE(node->contains("description")) << key.path;
  }
  const auto& batch_size = schema["properties"]["writer"]["properties"]["batch_size"];
  EXPECT_EQ(batch_size["default"], 1000);
  EXPECT_EQ(batch_size["minimum"], 1);
}

}  // namespace
}  // namespace firn::config
