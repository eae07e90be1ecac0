// The SQL catalog on a real PostgreSQL: FIRN_TEST_POSTGRES_URL names an empty database of a server, with a superuser.
// tests/test_catalog_servers.py starts one and runs this.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>

#include "base/uuid.h"
#include "catalog/catalog_conformance.h"
#include "catalog/commit_loop.h"
#include "catalog/sql/postgres_session.h"
#include "catalog/sql/sql_catalog.h"
#include "testing/faulty_proxy.h"
#include "testing/orders_table.h"
#include "testing/results.h"
#include "testing/temporary_folder.h"

namespace firn::catalog {
namespace {

namespace fs = std::filesystem;
using testing::Do;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kOrders;
using testing::MakeOrders;
using ::testing::Not;
using testing::SetProperty;
using testing::SomeTable;
using testing::Value;

std::string ServerUrl() {
  const char* url = std::getenv("FIRN_TEST_POSTGRES_URL");
  if (url == nullptr) throw std::runtime_error("set FIRN_TEST_POSTGRES_URL to a PostgreSQL database");
  return url;
}

/// "postgresql://postgres@127.0.0.1:5432/db" with another user or port.
std::string UrlFor(const std::string& user, std::optional<uint16_t> port = {}) {
  std::string url = ServerUrl();
  const size_t user_start = url.find("://") + 3;
  url.replace(user_start, url.find('@') - user_start, user);
  if (port.has_value()) {
    const size_t port_start = url.find(':', url.find('@')) + 1;
    url.replace(port_start, url.find('/', port_start) - port_start, std::to_string(*port));
  }
  return url;
}
uint16_t ServerPort() {
  const std::string url = ServerUrl();
  return static_cast<uint16_t>(std::stoi(url.substr(url.find(':', url.find('@')) + 1)));
}

void Execute(std::string_view sql) {
  const auto session = Value(OpenPostgres(ServerUrl()));
  SqlTransaction transaction = Value(SqlTransaction::Begin(*session));
  Value(session->Execute(sql, {}));
  Do(transaction.Commit());
}

/// Whether libpq sends COMMIT with these bytes (and not BEGIN … READ COMMITTED).
bool HasCommit(std::string_view bytes) { return bytes.find(std::string_view("COMMIT\0", 7)) != std::string_view::npos; }

/// A schema of its own in the database, which is the catalog's, and a folder for the tables.
class Lake {
 public:
  Lake() {
    store_ = Value(storage::OpenFileStore(warehouse(), {{"fsync", "false"}}));
    Execute("CREATE SCHEMA " + schema_);
  }
  ~Lake() { Execute("DROP SCHEMA " + schema_ + " CASCADE"); }

  std::string warehouse() const { return folder_ / "lake"; }
  const std::string& schema() const { return schema_; }
  storage::FileStore& store() { return *store_; }
  std::string InSchema(const std::string& url) const { return url + "?options=-csearch_path%3D" + schema_; }
  Result<std::unique_ptr<Catalog>> Open(const std::string& url) {
    return OpenSqlCatalog({.uri = InSchema(url), .warehouse = warehouse()}, *store_);
  }
  std::unique_ptr<Catalog> Open() { return Value(Open(ServerUrl())); }
  std::unique_ptr<SqlSession> Session() const { return Value(OpenPostgres(InSchema(ServerUrl()))); }
  size_t MetadataFiles() const {
    size_t files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) files += entry.is_regular_file() ? 1 : 0;
    return files;
  }

 private:
  const std::string schema_ = "lake_" + NewUuid().substr(0, 8);
  const testing::TemporaryFolder folder_;
  std::unique_ptr<storage::FileStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Sql, CatalogConformanceTest,
                         ::testing::Values(CatalogMaker{"Postgres",
                                                        [] { return std::make_unique<ClientsFixture<Lake>>(); }}),
                         CatalogName);

TEST(PostgresCatalogTest, KeepsPointersAsTheJdbcCatalogDoes) {
  Lake lake;
  auto catalog = lake.Open();
  const LoadedTable made = MakeOrders(*catalog);
  const auto committed = Value(catalog->CommitTables(std::vector{SetProperty(kOrders, "a", "b")}));
  EXPECT_THAT(
      Value(lake.Session()->Query("SELECT * FROM iceberg_tables", {})),
      ElementsAre(SqlRow{"firn", "shop", "orders", committed[0].metadata_location, made.metadata_location, "TABLE"}));
  EXPECT_THAT(Value(lake.Session()->Query("SELECT * FROM iceberg_namespace_properties", {})),
              ElementsAre(SqlRow{"firn", "shop", "exists", "true"}));
}

TEST(PostgresCatalogTest, WorksOnTablesOfVersionZero) {
  Lake lake;
  Execute("CREATE TABLE " + lake.schema() +
          ".iceberg_tables(catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL, table_name"
          " VARCHAR(255) NOT NULL, metadata_location VARCHAR(1000), previous_metadata_location VARCHAR(1000), PRIMARY"
          " KEY (catalog_name, table_namespace, table_name))");
  auto catalog = lake.Open();
  MakeOrders(*catalog);
  Value(catalog->CommitTables(std::vector{SetProperty(kOrders, "a", "b")}));
  EXPECT_EQ(Value(lake.Open()->LoadTable(kOrders)).metadata->properties.at("a"), "b");
}

TEST(PostgresCatalogTest, GoesOnWhenTheServerHasClosedItsConnection) {
  Lake lake;
  auto catalog = lake.Open();
  MakeOrders(*catalog);
  const auto close_connections = [&] {
    Value(Value(OpenPostgres(ServerUrl()))
              ->Query("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                      " WHERE datname = current_database() AND pid <> pg_backend_pid()",
                      {}));
  };
  close_connections();
  EXPECT_EQ(Value(catalog->LoadTable(kOrders)).ident, kOrders);
  close_connections();
  EXPECT_EQ(Value(catalog->CommitTables(std::vector{SetProperty(kOrders, "a", "b")}))[0].metadata->properties.at("a"),
            "b");
  close_connections();
  Do(catalog->EnsureNamespace({"archive"}));
}

TEST(PostgresCatalogTest, CommitWhoseAnswerIsLostIsUnknownAndKeepsItsFiles) {
  using Fault = testing::FaultyProxy::Fault;
  for (const Fault fault : {Fault::kDropRequest, Fault::kDropAnswer}) {
    Lake lake;
    std::atomic<bool> armed = false;
    testing::FaultyProxy proxy(
        ServerPort(), [&](std::string_view bytes) { return armed && HasCommit(bytes) ? fault : Fault::kNone; });
    auto catalog = Value(lake.Open(UrlFor("postgres", proxy.port())));
    MakeOrders(*catalog);
    const size_t files = lake.MetadataFiles();
    armed = true;
    const auto committed = catalog->CommitTables(std::vector{SetProperty(kOrders, "a", "b")});
    armed = false;
    ASSERT_FALSE(committed.has_value());
    EXPECT_EQ(committed.error().kind(), ErrorKind::kCommitUnknown) << committed.error().message();
    EXPECT_EQ(lake.MetadataFiles(), files + 1);
    // The same catalog sees what became of it.
    const bool is_in = Value(catalog->LoadTable(kOrders)).metadata->properties.contains("a");
    EXPECT_EQ(is_in, fault == Fault::kDropAnswer);
  }
}

TEST(PostgresCatalogTest, TableMadeRenamedAndDroppedWithoutAnAnswerIsSo) {
  Lake lake;
  std::atomic<bool> armed = false;
  testing::FaultyProxy proxy(ServerPort(), [&](std::string_view bytes) {
    return HasCommit(bytes) && armed.exchange(false) ? testing::FaultyProxy::Fault::kDropAnswer
                                                     : testing::FaultyProxy::Fault::kNone;
  });
  auto catalog = Value(lake.Open(UrlFor("postgres", proxy.port())));
  Do(catalog->EnsureNamespace({"shop"}));
  armed = true;
  const LoadedTable made = Value(catalog->CreateTable(kOrders, SomeTable()));
  EXPECT_EQ(Value(lake.Open()->LoadTable(kOrders)).metadata_location, made.metadata_location);
  armed = true;
  Do(catalog->RenameTable(kOrders, {{"shop"}, "renamed"}));
  EXPECT_FALSE(armed);
  EXPECT_EQ(Value(lake.Open()->LoadTable({{"shop"}, "renamed"})).metadata_location, made.metadata_location);
  armed = true;
  Do(catalog->DropTable({{"shop"}, "renamed"}));
  EXPECT_FALSE(armed);
  EXPECT_THAT(Value(lake.Open()->ListTables({"shop"})), IsEmpty());
}

TEST(PostgresCatalogTest, ConnectionLostBeforeTheCommitChangesNothing) {
  using Fault = testing::FaultyProxy::Fault;
  Lake lake;
  std::atomic<bool> armed = false;
  testing::FaultyProxy proxy(ServerPort(), [&](std::string_view bytes) {
    return armed && bytes.find("UPDATE") != std::string_view::npos ? Fault::kDropAnswer : Fault::kNone;
  });
  auto catalog = Value(lake.Open(UrlFor("postgres", proxy.port())));
  MakeOrders(*catalog);
  const size_t files = lake.MetadataFiles();
  armed = true;
  const auto committed = catalog->CommitTables(std::vector{SetProperty(kOrders, "a", "b")});
  ASSERT_FALSE(committed.has_value());
  EXPECT_EQ(committed.error().kind(), ErrorKind::kTransient) << committed.error().message();
  EXPECT_EQ(lake.MetadataFiles(), files);
  armed = false;
  Value(catalog->CommitTables(std::vector{SetProperty(kOrders, "a", "b")}));
}

TEST(PostgresCatalogTest, CommitLoopBringsEachCommitInOnceOverABreakingConnection) {
  using Fault = testing::FaultyProxy::Fault;
  Lake lake;
  std::atomic<int> commits = 0;
  testing::FaultyProxy proxy(ServerPort(), [&](std::string_view bytes) {
    if (!HasCommit(bytes)) return Fault::kNone;
    const int number = commits++;
    return number % 3 == 1 ? Fault::kDropAnswer : number % 3 == 2 ? Fault::kDropRequest : Fault::kNone;
  });
  auto catalog = lake.Open();
  LoadedTable base = MakeOrders(*catalog);
  auto breaking = Value(lake.Open(UrlFor("postgres", proxy.port())));
  constexpr int kCommits = 12;
  for (int i = 0; i < kCommits; ++i) {
    const std::string id = std::to_string(i);
    const TableChange change{
        .base = base, .build = [&](const LoadedTable& fresh) -> Result<iceberg::CommitRequest> {
          const iceberg::Snapshot snapshot{.snapshot_id = 100 + i,
                                           .parent_snapshot_id = fresh.metadata->current_snapshot_id,
                                           .sequence_number = fresh.metadata->last_sequence_number + 1,
                                           .timestamp_ms = fresh.metadata->last_updated_ms + 1,
                                           .manifest_list = "file:///none.avro",
                                           .summary = {{"operation", "append"}, {kCommitIdKey, id}},
                                           .schema_id = 0};
          return iceberg::CommitRequest{
              .table = kOrders,
              .requirements = {iceberg::AssertRefSnapshotId{"main", fresh.metadata->current_snapshot_id}},
              .updates = {iceberg::AddSnapshot{snapshot}, iceberg::SetSnapshotRef{"main", {.snapshot_id = 100 + i}}}};
        }};
    const RetryPolicy retry{.max_retries = 10, .base_delay = std::chrono::milliseconds(1)};
    base = Value(CommitChanges(*breaking, std::span(&change, 1), id, Lsn{1}, retry, {})).tables()[0];
  }
  const LoadedTable table = Value(catalog->LoadTable(kOrders));
  EXPECT_EQ(table.metadata->last_sequence_number, kCommits);
  EXPECT_EQ(table.metadata->snapshots.size(), static_cast<size_t>(kCommits));
}

TEST(PostgresCatalogTest, CommitsLastWhateverTheRoleHasSet) {
  Lake lake;
  const auto session = Value(OpenPostgres(
      ServerUrl() + "?options=-csynchronous_commit%3Doff%20-cdefault_transaction_isolation%3Dserializable"));
  EXPECT_THAT(Value(session->Query("SHOW synchronous_commit", {})), ElementsAre(SqlRow{"off"}));
  const SqlTransaction transaction = Value(SqlTransaction::Begin(*session));
  EXPECT_THAT(Value(session->Query("SHOW synchronous_commit", {})), ElementsAre(SqlRow{"on"}));
  EXPECT_THAT(Value(session->Query("SHOW transaction_isolation", {})), ElementsAre(SqlRow{"read committed"}));
}

/// A role that can do nothing, dropped at the end.
class Role {
 public:
  explicit Role(const std::string& options = "LOGIN") { Execute("CREATE ROLE " + name_ + " " + options); }
  ~Role() {
    Execute("DROP OWNED BY " + name_);
    Execute("DROP ROLE " + name_);
  }
  const std::string& name() const { return name_; }

 private:
  const std::string name_ = "role_" + NewUuid().substr(0, 8);
};

TEST(PostgresCatalogTest, MissingRightsNameTheirGrant) {
  Lake lake;
  const Role role;
  const std::string url = UrlFor(role.name());
  const auto no_schema = lake.Open(url);
  ASSERT_FALSE(no_schema.has_value());
  EXPECT_EQ(no_schema.error().kind(), ErrorKind::kPermission);
  EXPECT_THAT(no_schema.error().message(), HasSubstr("GRANT USAGE, CREATE ON SCHEMA"));
  const auto problem = [&] {
    const Status checked = CheckSqlCatalog(lake.InSchema(url));
    return checked.has_value() ? std::string("none") : checked.error().message();
  };
  EXPECT_THAT(problem(), HasSubstr("GRANT USAGE, CREATE ON SCHEMA"));
  Execute("GRANT USAGE ON SCHEMA " + lake.schema() + " TO " + role.name());
  const auto no_create = lake.Open(url);
  ASSERT_FALSE(no_create.has_value());
  EXPECT_EQ(no_create.error().kind(), ErrorKind::kPermission);
  EXPECT_THAT(no_create.error().message(),
              HasSubstr("GRANT USAGE, CREATE ON SCHEMA public TO \"" + role.name() + "\""));

  EXPECT_THAT(problem(), HasSubstr("GRANT USAGE, CREATE ON SCHEMA"));
  EXPECT_FALSE(Value(SqlCatalogExists(lake.InSchema(url)))) << "looking made it";

  // Where the tables are, the right to make them isn't needed.
  MakeOrders(*lake.Open());
  EXPECT_TRUE(Value(SqlCatalogExists(lake.InSchema(url))));
  EXPECT_THAT(problem(), HasSubstr("GRANT SELECT, INSERT, UPDATE, DELETE ON iceberg_tables"));
  const auto no_select = Value(lake.Open(url))->LoadTable(kOrders);
  ASSERT_FALSE(no_select.has_value());
  EXPECT_EQ(no_select.error().kind(), ErrorKind::kPermission);
  EXPECT_THAT(no_select.error().message(), HasSubstr("GRANT SELECT, INSERT, UPDATE, DELETE ON iceberg_tables"));
  Execute("GRANT SELECT ON ALL TABLES IN SCHEMA " + lake.schema() + " TO " + role.name());
  const size_t files = lake.MetadataFiles();
  const auto no_update = Value(lake.Open(url))->CommitTables(std::vector{SetProperty(kOrders, "a", "b")});
  ASSERT_FALSE(no_update.has_value());
  EXPECT_EQ(no_update.error().kind(), ErrorKind::kPermission);
  EXPECT_EQ(lake.MetadataFiles(), files);
  EXPECT_THAT(problem(), HasSubstr("GRANT SELECT, INSERT, UPDATE, DELETE ON iceberg_tables"));
  Execute("GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA " + lake.schema() + " TO " + role.name());
  EXPECT_EQ(problem(), "none");
  Value(Value(lake.Open(url))->CommitTables(std::vector{SetProperty(kOrders, "a", "b")}));
}

TEST(PostgresCatalogTest, WhatIsWrongWithTheAddressIsToldWithoutThePassword) {
  const std::string url = ServerUrl();
  const auto no_database = OpenPostgres(url.substr(0, url.rfind('/')) + "/nowhere");
  ASSERT_FALSE(no_database.has_value());
  EXPECT_EQ(no_database.error().kind(), ErrorKind::kInvalidConfig);
  EXPECT_EQ(no_database.error().native_code(), "3D000");

  const auto no_role = OpenPostgres(UrlFor("nobody:hunter2"));
  ASSERT_FALSE(no_role.has_value());
  EXPECT_EQ(no_role.error().kind(), ErrorKind::kPermission);
  EXPECT_THAT(no_role.error().message(), Not(HasSubstr("hunter2")));

  const auto no_server = OpenPostgres("postgresql://firn:hunter2@127.0.0.1:1/catalog");
  ASSERT_FALSE(no_server.has_value());
  EXPECT_EQ(no_server.error().kind(), ErrorKind::kTransient);
  EXPECT_EQ(no_server.error().origin(), ErrorOrigin::kCatalog);
  EXPECT_THAT(no_server.error().message(), HasSubstr("127.0.0.1:1/catalog"));
  EXPECT_THAT(no_server.error().message(), Not(HasSubstr("hunter2")));

  const auto no_ssl = OpenPostgres(url + "?sslmode=require");
  ASSERT_FALSE(no_ssl.has_value());
  EXPECT_EQ(no_ssl.error().kind(), ErrorKind::kInvalidConfig);
  EXPECT_THAT(no_ssl.error().message(), HasSubstr("sslmode"));
}

TEST(PostgresCatalogTest, PasswordsThatNeedEncodingAreNeverTakenForHosts) {
  for (const char* uri : {"postgresql://firn:hun@ter2@127.0.0.1:1/catalog", "postgresql://firn:hun/ter2@127.0.0.1:1/x",
                          "postgresql://firn:hun:ter2@/x?port=ter2"}) {
    const auto opened = OpenPostgres(uri);
    ASSERT_FALSE(opened.has_value()) << uri;
    EXPECT_EQ(opened.error().kind(), ErrorKind::kInvalidConfig) << uri << ": " << opened.error().message();
    EXPECT_THAT(opened.error().message(), Not(HasSubstr("ter2"))) << uri;
  }
  // A '?' is the password's.
  const auto opened = OpenPostgres("postgresql://firn:hun?ter2@127.0.0.1:1/catalog");
  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error().message(), HasSubstr("127.0.0.1:1"));
  EXPECT_THAT(opened.error().message(), Not(HasSubstr("ter2")));
}

TEST(PostgresCatalogTest, ReadOnlySessionSaysSo) {
  Lake lake;
  const std::string uri =
      ServerUrl() + "?options=-cdefault_transaction_read_only%3Don%20-csearch_path%3D" + lake.schema();
  for (const Status& status : {CheckSqlCatalog(uri), [&]() -> Status {
                                 TRY_VOID(OpenSqlCatalog({.uri = uri}, lake.store()));
                                 return {};
                               }()}) {
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().kind(), ErrorKind::kPermission) << status.error().message();
    EXPECT_THAT(status.error().message(), HasSubstr("read-only"));
  }
}

/// The server asks the role "locked" for its password (pg_hba.conf).
TEST(PostgresCatalogTest, PasswordComesFromThePassfileAndAddressFromTheServiceFile) {
  Execute(
      "DO $$ BEGIN CREATE ROLE locked LOGIN PASSWORD 'hunter2'; EXCEPTION WHEN duplicate_object THEN"
      " ALTER ROLE locked PASSWORD 'hunter2'; END $$");
  const auto without = OpenPostgres(UrlFor("locked"));
  ASSERT_FALSE(without.has_value());
  EXPECT_EQ(without.error().kind(), ErrorKind::kPermission);
  EXPECT_THAT(without.error().message(), HasSubstr("needs a password"));
  const auto wrong = OpenPostgres(UrlFor("locked:wr0ng"));
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().kind(), ErrorKind::kPermission);
  EXPECT_EQ(wrong.error().native_code(), "28P01");
  EXPECT_THAT(wrong.error().message(), Not(HasSubstr("wr0ng")));

  const testing::TemporaryFolder folder;
  std::ofstream(folder / "pgpass") << "127.0.0.1:*:*:locked:hunter2\n";
  fs::permissions(folder / "pgpass", fs::perms::owner_read | fs::perms::owner_write);
  const std::string url = ServerUrl();
  std::ofstream(folder / "services") << "[lake]\nhost=127.0.0.1\nport=" << ServerPort()
                                     << "\nuser=locked\ndbname=" << url.substr(url.rfind('/') + 1) << "\n";
  setenv("PGPASSFILE", (folder / "pgpass").c_str(), 1);
  setenv("PGSERVICEFILE", (folder / "services").c_str(), 1);
  EXPECT_TRUE(OpenPostgres(UrlFor("locked")).has_value());
  const auto by_service = OpenPostgres("postgresql:///?service=lake");
  EXPECT_TRUE(by_service.has_value()) << by_service.error().message();
  unsetenv("PGPASSFILE");
  unsetenv("PGSERVICEFILE");
}

TEST(PostgresCatalogTest, NameThatIsTooLongForItsColumnSaysSo) {
  Lake lake;
  auto catalog = lake.Open();
  Do(catalog->EnsureNamespace({"shop"}));
  const auto made = catalog->CreateTable({{"shop"}, std::string(256, 'x')}, [] {
    iceberg::NewTable table = SomeTable();
    table.location = "file:///tmp/firn-short";
    return table;
  }());
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().kind(), ErrorKind::kUnsupported);
  EXPECT_THAT(made.error().message(), HasSubstr("255"));
}

}  // namespace
}  // namespace firn::catalog
