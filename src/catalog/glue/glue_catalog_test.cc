#include "catalog/glue/glue_catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "catalog/catalog_conformance.h"
#include "testing/fake_glue.h"
#include "testing/memory_file_store.h"
#include "testing/orders_table.h"
#include "testing/results.h"
#include "testing/temporary_folder.h"

namespace firn::catalog {
namespace {

namespace fs = std::filesystem;
using iceberg::TableIdent;
using nlohmann::json;
using testing::Do;
using ::testing::HasSubstr;
using testing::kOrders;
using testing::MakeOrders;
using ::testing::Not;
using testing::SetProperty;
using testing::SomeTable;
using ::testing::UnorderedElementsAre;
using testing::Value;
using Fault = testing::ScriptedReply::Fault;
using testing::FakeGlue;

/// A Glue, and a temporary folder for the tables.
class Lake {
 public:
  Lake() { store_ = Value(storage::OpenFileStore(folder_.path(), {{"fsync", "false"}})); }

  FakeGlue& glue() { return glue_; }
  std::string warehouse() const { return folder_.url(); }
  std::unique_ptr<Catalog> Open() {
    return Value(OpenGlueCatalog({.client = glue_.Client(), .warehouse = folder_.path()}, *store_));
  }
  size_t Files() const {
    size_t files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) files += entry.is_regular_file() ? 1 : 0;
    return files;
  }

 private:
  FakeGlue glue_;
  const testing::TemporaryFolder folder_;
  std::unique_ptr<storage::FileStore> store_;
};

class GlueFixture : public ClientsFixture<Lake> {
 public:
  CatalogLimits limits() const override { return {.flat_namespaces = true, .plain_names = true}; }
};

INSTANTIATE_TEST_SUITE_P(Glue, CatalogConformanceTest,
                         ::testing::Values(CatalogMaker{"Fake", [] { return std::make_unique<GlueFixture>(); }}),
                         CatalogName);

TEST(GlueCatalogTest, NamesOnlyWhatIsDurable) {
  Lake lake;
  testing::MemoryFileStore store;
  const auto catalog = Value(OpenGlueCatalog({.client = lake.glue().Client(), .warehouse = lake.warehouse()}, store));
  const LoadedTable made = MakeOrders(*catalog);
  store.CutPower();
  Value(store.Stat(made.metadata_location));
  Do(store.Write("file:///data", "rows"));
  const auto committed = Value(catalog->CommitTables(std::vector{SetProperty(kOrders, "a", "b")}));
  store.CutPower();
  Value(store.Stat("file:///data"));
  Value(store.Stat(committed[0].metadata_location));
}

TEST(GlueCatalogTest, WritesEntriesAsJavaDoes) {
  Lake lake;
  auto catalog = lake.Open();
  const LoadedTable made = MakeOrders(*catalog);
  EXPECT_EQ(made.metadata->location, lake.warehouse() + "/shop.db/orders");
  json table = lake.glue().Table("shop", "orders");
  EXPECT_EQ(table["Parameters"], (json{{"table_type", "ICEBERG"}, {"metadata_location", made.metadata_location}}));
  EXPECT_EQ(table["StorageDescriptor"]["Location"], made.metadata->location);

  const auto committed = Value(catalog->CommitTables(std::vector{SetProperty(kOrders, "a", "b")}));
  table = lake.glue().Table("shop", "orders");
  EXPECT_EQ(table["Parameters"], (json{{"table_type", "ICEBERG"},
                                       {"metadata_location", committed[0].metadata_location},
                                       {"previous_metadata_location", made.metadata_location}}));
  const json update = json::parse(lake.glue().LastRequest().body);
  EXPECT_EQ(update["SkipArchive"], true);
  EXPECT_EQ(update["VersionId"], "0");
  EXPECT_FALSE(update.contains("CatalogId"));
}

TEST(GlueCatalogTest, DatabasesLocationComesFirst) {
  Lake lake;
  auto catalog = lake.Open();
  lake.glue().SetDatabase("shop", {{"Name", "shop"}, {"LocationUri", lake.warehouse() + "/elsewhere/"}});
  EXPECT_EQ(MakeOrders(*catalog).metadata->location, lake.warehouse() + "/elsewhere/orders");
}

TEST(GlueCatalogTest, CatalogIdIsInEveryRequest) {
  Lake lake;
  GlueClientOptions client = lake.glue().Client();
  client.catalog_id = "123456789012";
  GlueClient glue(client);
  Value(glue.Call(GlueCall::kRead, "GetDatabases", json::object()));
  EXPECT_EQ(json::parse(lake.glue().LastRequest().body)["CatalogId"], "123456789012");
}

TEST(GlueCatalogTest, CommitBuiltOnAStaleVersionIsAConflictAndLeavesNoFile) {
  Lake lake;
  auto catalog = lake.Open();
  MakeOrders(*catalog);
  const size_t files = lake.Files();
  lake.glue().FailNext({.action = "UpdateTable", .reply = FakeGlue::Refusal("ConcurrentModificationException")});
  const auto committed = catalog->CommitTables(std::vector{SetProperty(kOrders, "a", "b")});
  ASSERT_FALSE(committed.has_value());
  EXPECT_EQ(committed.error().kind(), ErrorKind::kConflict);
  EXPECT_EQ(committed.error().origin(), ErrorOrigin::kCatalog);
  EXPECT_EQ(lake.Files(), files);
}

TEST(GlueCatalogTest, CommitThatCameTwiceAndWasRefusedKeepsItsFile) {
  Lake lake;
  auto catalog = lake.Open();
  MakeOrders(*catalog);
  lake.glue().FailNext({.action = "UpdateTable",
                        .reply = FakeGlue::Refusal("ConcurrentModificationException"),
                        .done_all_the_same = true});
  const auto committed = catalog->CommitTables(std::vector{SetProperty(kOrders, "a", "b")});
  ASSERT_FALSE(committed.has_value());
  EXPECT_EQ(committed.error().kind(), ErrorKind::kConflict);
  EXPECT_TRUE(Value(lake.Open()->LoadTable(kOrders)).metadata->properties.contains("a"));
}

TEST(GlueCatalogTest, CommitsToNoTableWithoutAVersion) {
  Lake lake;
  auto catalog = lake.Open();
  const LoadedTable made = MakeOrders(*catalog);
  const size_t files = lake.Files();
  json table = lake.glue().Table("shop", "orders");
  table.erase("VersionId");
  lake.glue().SetTable("shop", "orders", table);
  const auto committed = catalog->CommitTables(std::vector{SetProperty(kOrders, "a", "b")});
  ASSERT_FALSE(committed.has_value());
  EXPECT_EQ(committed.error().kind(), ErrorKind::kUnsupported);
  EXPECT_THAT(committed.error().message(), HasSubstr("VersionId"));
  EXPECT_EQ(lake.glue().Calls("UpdateTable"), 0);
  EXPECT_EQ(lake.Files(), files);
  EXPECT_EQ(Value(catalog->LoadTable(kOrders)).metadata_location, made.metadata_location);
}

TEST(GlueCatalogTest, CommitWithoutAnAnswerIsUnknownAndKeepsItsFile) {
  const std::vector<testing::ScriptedReply> replies = {{.fault = Fault::kReset},
                                                       FakeGlue::Refusal("InternalServiceException", 500),
                                                       FakeGlue::Refusal("OperationTimeoutException", 400),
                                                       {.status = 503, .body = "no JSON"}};
  for (const bool done : {false, true}) {
    for (const testing::ScriptedReply& reply : replies) {
      Lake lake;
      auto catalog = lake.Open();
      MakeOrders(*catalog);
      const size_t files = lake.Files();
      lake.glue().FailNext({.action = "UpdateTable", .reply = reply, .done_all_the_same = done});
      const auto committed = catalog->CommitTables(std::vector{SetProperty(kOrders, "a", "b")});
      ASSERT_FALSE(committed.has_value());
      EXPECT_EQ(committed.error().kind(), ErrorKind::kCommitUnknown) << committed.error().message();
      EXPECT_EQ(lake.Files(), files + 1);
      EXPECT_EQ(Value(catalog->LoadTable(kOrders)).metadata->properties.contains("a"), done);
    }
  }
}

TEST(GlueCatalogTest, WhatGlueRefusesIsNotCommittedAndLeavesNoFile) {
  const std::vector<std::pair<std::string, ErrorKind>> refusals = {
      {"ThrottlingException", ErrorKind::kTransient},
      {"ResourceNotReadyException", ErrorKind::kTransient},
      {"AccessDeniedException", ErrorKind::kPermission},
      {"com.amazonaws.glue#AccessDeniedException", ErrorKind::kPermission},
      {"InvalidInputException", ErrorKind::kUnsupported},
      {"EntityNotFoundException", ErrorKind::kTableNotFound},
      {"ResourceNumberLimitExceededException", ErrorKind::kUnsupported},
      {"SomethingNewException", ErrorKind::kInternal}};
  Lake lake;
  auto catalog = lake.Open();
  MakeOrders(*catalog);
  const size_t files = lake.Files();
  for (const auto& [code, kind] : refusals) {
    lake.glue().FailNext({.action = "UpdateTable", .reply = FakeGlue::Refusal(code)});
    const auto committed = catalog->CommitTables(std::vector{SetProperty(kOrders, "a", "b")});
    ASSERT_FALSE(committed.has_value());
    EXPECT_EQ(committed.error().kind(), kind) << code;
    EXPECT_EQ(lake.Files(), files) << code;
  }
}

TEST(GlueCatalogTest, ThrottledRequestSaysHowLongToWait) {
  Lake lake;
  testing::ScriptedReply reply = FakeGlue::Refusal("ThrottlingException");
  reply.headers = {{"Retry-After", "3"}};
  lake.glue().FailNext({.action = "GetTable", .reply = reply});
  const auto loaded = lake.Open()->LoadTable(kOrders);
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().kind(), ErrorKind::kTransient);
  EXPECT_EQ(loaded.error().retry_after(), std::chrono::seconds(3));
}

TEST(GlueCatalogTest, ReadWithoutAnAnswerIsTransient) {
  for (const testing::ScriptedReply& reply :
       {testing::ScriptedReply{.fault = Fault::kReset}, FakeGlue::Refusal("InternalServiceException", 500),
        testing::ScriptedReply{.status = 200, .body = "no JSON"}}) {
    Lake lake;
    lake.glue().FailNext({.action = "GetTable", .reply = reply});
    const auto loaded = lake.Open()->LoadTable(kOrders);
    ASSERT_FALSE(loaded.has_value());
    // A read that was reset may have been sent again, and then there is no such table.
    if (reply.fault != Fault::kReset || loaded.error().kind() != ErrorKind::kTableNotFound) {
      EXPECT_EQ(loaded.error().kind(), ErrorKind::kTransient) << loaded.error().message();
    }
  }
}

TEST(GlueCatalogTest, DeniedRequestNamesTheAction) {
  Lake lake;
  lake.glue().FailNext({.action = "GetDatabase", .reply = FakeGlue::Refusal("AccessDeniedException")});
  const Status made = lake.Open()->EnsureNamespace({"shop"});
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().kind(), ErrorKind::kPermission);
  EXPECT_THAT(made.error().message(), HasSubstr("glue:GetDatabase"));
  EXPECT_THAT(made.error().message(), Not(HasSubstr("hunter2")));
}

TEST(GlueCatalogTest, CreationWhoseAnswerIsLostIsFound) {
  Lake lake;
  auto catalog = lake.Open();
  Do(catalog->EnsureNamespace({"shop"}));
  lake.glue().FailNext({.action = "CreateTable", .reply = {.fault = Fault::kReset}, .done_all_the_same = true});
  const LoadedTable made = Value(catalog->CreateTable(kOrders, SomeTable()));
  EXPECT_EQ(Value(lake.Open()->LoadTable(kOrders)).metadata_location, made.metadata_location);
}

TEST(GlueCatalogTest, CreationWhoseRequestIsLostCanBeRepeated) {
  Lake lake;
  auto catalog = lake.Open();
  Do(catalog->EnsureNamespace({"shop"}));
  lake.glue().FailNext({.action = "CreateTable", .reply = {.fault = Fault::kReset}});
  const auto lost = catalog->CreateTable(kOrders, SomeTable());
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().kind(), ErrorKind::kTransient);
  const LoadedTable made = Value(catalog->CreateTable(kOrders, SomeTable()));
  EXPECT_EQ(Value(lake.Open()->LoadTable(kOrders)).metadata_location, made.metadata_location);
}

TEST(GlueCatalogTest, RenamingThatCannotDeleteTheOldEntryIsUndone) {
  Lake lake;
  auto catalog = lake.Open();
  const LoadedTable made = MakeOrders(*catalog);
  lake.glue().FailNext({.action = "DeleteTable", .reply = FakeGlue::Refusal("AccessDeniedException")});
  const Status renamed = catalog->RenameTable(kOrders, {{"shop"}, "old_orders"});
  ASSERT_FALSE(renamed.has_value());
  EXPECT_EQ(renamed.error().kind(), ErrorKind::kPermission);
  EXPECT_TRUE(lake.glue().Table("shop", "old_orders").is_null());
  EXPECT_EQ(Value(catalog->LoadTable(kOrders)).metadata_location, made.metadata_location);
}

TEST(GlueCatalogTest, RenamingWhoseAnswersAreLostIsEndedByRepeatingIt) {
  for (const char* action : {"CreateTable", "DeleteTable"}) {
    for (const bool done : {false, true}) {
      Lake lake;
      auto catalog = lake.Open();
      const LoadedTable made = MakeOrders(*catalog);
      lake.glue().FailNext({.action = action, .reply = {.fault = Fault::kReset}, .done_all_the_same = done});
      Status renamed = catalog->RenameTable(kOrders, {{"shop"}, "old_orders"});
      EXPECT_EQ(renamed.has_value(), done) << action;
      if (!renamed.has_value()) {
        EXPECT_EQ(renamed.error().kind(), ErrorKind::kTransient) << action;
        renamed = catalog->RenameTable(kOrders, {{"shop"}, "old_orders"});
      }
      EXPECT_TRUE(renamed.has_value()) << action;
      EXPECT_TRUE(lake.glue().Table("shop", "orders").is_null()) << action;
      EXPECT_EQ(Value(catalog->LoadTable({{"shop"}, "old_orders"})).metadata_location, made.metadata_location);
    }
  }
}

TEST(GlueCatalogTest, TableOfAnotherKindSaysSoAndIsNotListed) {
  Lake lake;
  auto catalog = lake.Open();
  MakeOrders(*catalog);
  lake.glue().SetTable("shop", "clicks", {{"Name", "clicks"}, {"Parameters", {{"classification", "parquet"}}}});
  lake.glue().SetTable("shop", "view", {{"Name", "view"}, {"TableType", "VIRTUAL_VIEW"}});
  EXPECT_THAT(Value(catalog->ListTables({"shop"})), UnorderedElementsAre(kOrders));
  const auto loaded = catalog->LoadTable({{"shop"}, "clicks"});
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().kind(), ErrorKind::kUnsupported);
  EXPECT_THAT(loaded.error().message(), HasSubstr("no Iceberg table"));
  EXPECT_EQ(catalog->CreateTable({{"shop"}, "clicks"}, SomeTable()).error().kind(), ErrorKind::kAlreadyExists);
}

TEST(GlueCatalogTest, EveryPageIsRead) {
  Lake lake;
  auto catalog = lake.Open();
  std::vector<TableIdent> idents;
  Do(catalog->EnsureNamespace({"shop"}));
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    Value(catalog->CreateTable({{"shop"}, name}, SomeTable()));
    Do(catalog->EnsureNamespace({name}));
  }
  EXPECT_EQ(Value(catalog->ListTables({"shop"})).size(), 5u);
  EXPECT_EQ(Value(catalog->ListNamespaces()).size(), 6u);
  EXPECT_EQ(lake.glue().Calls("GetTables"), 3);
}

TEST(GlueCatalogTest, MissingRegionIsAConfigurationError) {
  Lake lake;
  const auto store = Value(storage::OpenFileStore("/tmp", {}));
  const auto opened = OpenGlueCatalog({.client = {}, .warehouse = "/tmp"}, *store);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().kind(), ErrorKind::kInvalidConfig);
  EXPECT_THAT(opened.error().message(), HasSubstr("catalog.region"));
}

}  // namespace
}  // namespace firn::catalog
