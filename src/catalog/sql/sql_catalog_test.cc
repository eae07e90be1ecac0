#include "catalog/sql/sql_catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "catalog/catalog_conformance.h"
#include "catalog/sql/sqlite_session.h"
#include "testing/memory_file_store.h"
#include "testing/orders_table.h"
#include "testing/results.h"
#include "testing/temporary_folder.h"

namespace firn::catalog {
namespace {

namespace fs = std::filesystem;
using testing::Do;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::kOrders;
using testing::MakeOrders;
using ::testing::MatchesRegex;
using ::testing::Not;
using testing::SetProperty;
using testing::SomeTable;
using testing::Value;

/// A temporary folder with a lake and its catalog.
class Lake {
 public:
  Lake() { store_ = Value(storage::OpenFileStore(warehouse(), {{"fsync", "false"}})); }

  std::string warehouse() const { return folder_ / "lake"; }
  std::string file() const { return folder_ / "catalog.db"; }
  storage::FileStore& store() { return *store_; }
  std::unique_ptr<Catalog> Open() {
    return Value(OpenSqlCatalog({.uri = "sqlite://" + file(), .warehouse = warehouse()}, *store_));
  }
  std::unique_ptr<SqlSession> Sql() { return Value(OpenSqlite(file())); }
  /// Changes the catalog's tables as another program would.
  void Execute(std::string_view sql, const SqlParameters& parameters = {}) {
    const auto session = Sql();
    SqlTransaction transaction = Value(SqlTransaction::Begin(*session));
    Value(session->Execute(sql, parameters));
    Do(transaction.Commit());
  }
  /// The metadata files of a table's folder.
  size_t MetadataFiles(const std::string& table_folder) const {
    const fs::path folder = fs::path(warehouse()) / table_folder / "metadata";
    if (!fs::exists(folder)) return 0;
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
  }

 private:
  const testing::TemporaryFolder folder_;
  std::unique_ptr<storage::FileStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Sql, CatalogConformanceTest,
                         ::testing::Values(CatalogMaker{"Sqlite",
                                                        [] { return std::make_unique<ClientsFixture<Lake>>(); }}),
                         CatalogName);

TEST(SqlCatalogTest, NamesOnlyWhatIsDurable) {
  const Lake lake;
  testing::MemoryFileStore store;
  const auto catalog = Value(OpenSqlCatalog({.uri = "sqlite://" + lake.file(), .warehouse = lake.warehouse()}, store));
  Do(catalog->EnsureNamespace({"shop"}));
  const LoadedTable made = Value(catalog->CreateTable({{"shop"}, "orders"}, SomeTable()));
  store.CutPower();
  EXPECT_EQ(Value(catalog->LoadTable(made.ident)).metadata_location, made.metadata_location);
  Do(store.Write("file:///data", "rows"));
  const auto committed = Value(catalog->CommitTables(std::vector{SetProperty(made.ident, "a", "b")}));
  store.CutPower();
  Value(store.Stat("file:///data"));
  Value(store.Stat(committed[0].metadata_location));
}

TEST(SqlCatalogTest, PlacesTablesAsJavaDoes) {
  Lake lake;
  auto catalog = lake.Open();
  Do(catalog->EnsureNamespace({"shop", "public"}));
  const LoadedTable made = Value(catalog->CreateTable({{"shop", "public"}, "orders"}, SomeTable()));
  EXPECT_EQ(made.metadata->location, "file://" + lake.warehouse() + "/shop/public/orders");
  EXPECT_THAT(made.metadata_location, MatchesRegex("file://.*/shop/public/orders/metadata/00000-[0-9a-f-]{36}\\."
                                                   "metadata\\.json"));
  const auto committed = Value(catalog->CommitTables(std::vector{SetProperty(made.ident, "a", "b")}));
  EXPECT_THAT(committed[0].metadata_location, HasSubstr("/metadata/00001-"));
}

TEST(SqlCatalogTest, KeepsPointersAsTheJdbcCatalogDoes) {
  Lake lake;
  auto catalog = lake.Open();
  const LoadedTable made = MakeOrders(*catalog);
  const auto committed = Value(catalog->CommitTables(std::vector{SetProperty(kOrders, "a", "b")}));
  const auto sql = lake.Sql();
  EXPECT_THAT(
      Value(sql->Query("SELECT catalog_name, table_namespace, table_name, metadata_location,"
                       " previous_metadata_location, iceberg_type FROM iceberg_tables",
                       {})),
      ElementsAre(SqlRow{"firn", "shop", "orders", committed[0].metadata_location, made.metadata_location, "TABLE"}));
  EXPECT_THAT(Value(sql->Query("SELECT namespace, property_key, property_value FROM iceberg_namespace_properties", {})),
              ElementsAre(SqlRow{"shop", "exists", "true"}));
}

TEST(SqlCatalogTest, ReadsRowsWithNoTypeAndSkipsViews) {
  Lake lake;
  auto catalog = lake.Open();
  MakeOrders(*catalog);
  lake.Execute(
      "INSERT INTO iceberg_tables SELECT catalog_name, table_namespace, 'a view', metadata_location, NULL, 'VIEW'"
      " FROM iceberg_tables");
  lake.Execute("UPDATE iceberg_tables SET iceberg_type = NULL WHERE table_name = 'orders'");
  EXPECT_THAT(Value(catalog->ListTables({"shop"})), ElementsAre(kOrders));
  EXPECT_EQ(catalog->LoadTable({{"shop"}, "a view"}).error().kind(), ErrorKind::kTableNotFound);
  EXPECT_EQ(catalog->CreateTable({{"shop"}, "a view"}, SomeTable()).error().kind(), ErrorKind::kAlreadyExists);
  Value(catalog->CommitTables(std::vector{SetProperty(kOrders, "a", "b")}));
}

TEST(SqlCatalogTest, WorksOnAFileOfVersionZero) {
  Lake lake;
  lake.Execute(
      "CREATE TABLE iceberg_tables(catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL,"
      " table_name VARCHAR(255) NOT NULL, metadata_location VARCHAR(1000),"
      " previous_metadata_location VARCHAR(1000), PRIMARY KEY (catalog_name, table_namespace, table_name))");
  auto catalog = lake.Open();
  MakeOrders(*catalog);
  Value(catalog->CommitTables(std::vector{SetProperty(kOrders, "a", "b")}));
  EXPECT_EQ(Value(catalog->LoadTable(kOrders)).metadata->properties.at("a"), "b");
  EXPECT_THAT(Value(catalog->ListTables({"shop"})), ElementsAre(kOrders));
  Do(catalog->DropTable(kOrders));
}

TEST(SqlCatalogTest, CatalogsOfOneFileDoNotMix) {
  Lake lake;
  auto one = lake.Open();
  auto two = Value(OpenSqlCatalog({.uri = lake.file(), .name = "two", .warehouse = lake.warehouse()}, lake.store()));
  MakeOrders(*one);
  EXPECT_EQ(two->LoadTable(kOrders).error().kind(), ErrorKind::kTableNotFound);
  EXPECT_EQ(two->ListTables({"shop"}).error().kind(), ErrorKind::kNotFound);
}

TEST(SqlCatalogTest, ReadsLocationsAsOtherWritersPutThem) {
  Lake lake;
  auto catalog = lake.Open();
  const LoadedTable made = MakeOrders(*catalog);
  const std::string path = made.metadata_location.substr(std::string_view("file://").size());
  for (const std::string& location : {path, "file:" + path}) {
    lake.Execute("UPDATE iceberg_tables SET metadata_location = $1", {location});
    EXPECT_EQ(Value(catalog->LoadTable(kOrders)).metadata->table_uuid, made.metadata->table_uuid);
    EXPECT_EQ(Value(lake.Open()->LoadTable(kOrders)).metadata->table_uuid, made.metadata->table_uuid);
  }
}

TEST(SqlCatalogTest, LostCommitLeavesNoMetadataFiles) {
  Lake lake;
  auto catalog = lake.Open();
  MakeOrders(*catalog);
  Value(catalog->CreateTable({{"shop"}, "items"}, SomeTable()));
  iceberg::CommitRequest stale = SetProperty({{"shop"}, "items"}, "a", "b");
  stale.requirements = {iceberg::AssertRefSnapshotId{"main", 5}};
  const auto committed = catalog->CommitTables(std::vector{SetProperty(kOrders, "a", "b"), stale});
  ASSERT_FALSE(committed.has_value());
  EXPECT_EQ(committed.error().kind(), ErrorKind::kConflict);
  EXPECT_EQ(committed.error().origin(), ErrorOrigin::kCatalog);
  EXPECT_THAT(committed.error().message(), HasSubstr("shop.items"));
  EXPECT_EQ(lake.MetadataFiles("shop/orders"), 1u);
  EXPECT_EQ(lake.MetadataFiles("shop/items"), 1u);
  EXPECT_FALSE(catalog->CreateTable(kOrders, SomeTable()).has_value());
  EXPECT_EQ(lake.MetadataFiles("shop/orders"), 1u);
}

TEST(SqlCatalogTest, DeletesOldMetadataWhereTheTableAsksForIt) {
  Lake lake;
  auto catalog = lake.Open();
  MakeOrders(*catalog);
  Value(catalog->CommitTables(std::vector{SetProperty(kOrders, "write.metadata.previous-versions-max", "2")}));
  Value(catalog->CommitTables(std::vector{SetProperty(kOrders, "write.metadata.delete-after-commit.enabled", "true")}));
  for (int i = 0; i < 5; ++i) {
    Value(catalog->CommitTables(std::vector{SetProperty(kOrders, "i", std::to_string(i))}));
  }
  EXPECT_EQ(lake.MetadataFiles("shop/orders"), 3u);
  EXPECT_EQ(Value(lake.Open()->LoadTable(kOrders)).metadata->properties.at("i"), "4");
}

TEST(SqlCatalogTest, LockHeldByAnotherProgramIsTransient) {
  Lake lake;
  auto catalog = lake.Open();
  MakeOrders(*catalog);
  const auto holder = lake.Sql();
  const SqlTransaction held = Value(SqlTransaction::Begin(*holder));
  const auto impatient = Value(OpenSqlite(lake.file(), 0));
  const auto begun = SqlTransaction::Begin(*impatient);
  ASSERT_FALSE(begun.has_value());
  EXPECT_EQ(begun.error().kind(), ErrorKind::kTransient);
  EXPECT_EQ(begun.error().origin(), ErrorOrigin::kCatalog);
}

TEST(SqlCatalogTest, FileThatIsNoDatabaseIsCorrupt) {
  Lake lake;
  std::ofstream(lake.file()) << std::string(4096, 'x');
  const auto opened = OpenSqlCatalog({.uri = lake.file()}, lake.store());
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().kind(), ErrorKind::kCorrupt);
  EXPECT_THAT(opened.error().message(), HasSubstr(lake.file()));
}

TEST(SqlCatalogTest, FileThatCannotBeMadeNamesItsPath) {
  Lake lake;
  std::ofstream(lake.file()) << "";
  const auto opened = OpenSqlCatalog({.uri = lake.file() + "/catalog.db"}, lake.store());
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().kind(), ErrorKind::kPermission);
  EXPECT_THAT(opened.error().message(), HasSubstr(lake.file()));
}

TEST(SqlCatalogTest, CheckingMakesNothing) {
  Lake lake;
  const std::string uri = "sqlite://" + lake.file();
  EXPECT_TRUE(CheckSqlCatalog(uri).has_value());
  EXPECT_FALSE(Value(SqlCatalogExists(uri)));
  lake.Open();
  EXPECT_TRUE(CheckSqlCatalog(uri).has_value());
  EXPECT_TRUE(Value(SqlCatalogExists(uri)));
  const Status below_a_file = CheckSqlCatalog(uri + "/catalog.db");
  ASSERT_FALSE(below_a_file.has_value());
  EXPECT_EQ(below_a_file.error().kind(), ErrorKind::kPermission);
}

TEST(SqlCatalogTest, TableWithoutAnyLocationIsAConfigurationError) {
  Lake lake;
  auto catalog = Value(OpenSqlCatalog({.uri = lake.file()}, lake.store()));
  Do(catalog->EnsureNamespace({"shop"}));
  EXPECT_EQ(catalog->CreateTable(kOrders, SomeTable()).error().kind(), ErrorKind::kInvalidConfig);
}

TEST(SqlitePathTest, TakesEveryCommonForm) {
  EXPECT_EQ(Value(SqlitePath("sqlite:///var/lib/firn/catalog.db")), "/var/lib/firn/catalog.db");
  EXPECT_EQ(Value(SqlitePath("sqlite:////var/lib/firn/catalog.db")), "/var/lib/firn/catalog.db");
  EXPECT_EQ(Value(SqlitePath("/var/lib/firn/catalog.db")), "/var/lib/firn/catalog.db");
  EXPECT_EQ(Value(SqlitePath("lake/../catalog.db")), (fs::current_path() / "catalog.db").string());
}

TEST(SqlitePathTest, RefusesWhatIsNoFile) {
  for (const char* uri :
       {"", "sqlite://", "sqlite:///", "sqlite:///:memory:", ":memory:", "sqlite://catalog.db", "sqlite:catalog.db"}) {
    const auto path = SqlitePath(uri);
    ASSERT_FALSE(path.has_value()) << uri;
    EXPECT_EQ(path.error().kind(), ErrorKind::kInvalidConfig) << uri;
  }
  const auto other = SqlitePath("mysql://firn:hunter2@db/catalog");
  EXPECT_EQ(other.error().kind(), ErrorKind::kUnsupported);
  EXPECT_THAT(other.error().message(), Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace firn::catalog
