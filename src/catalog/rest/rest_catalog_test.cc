#include "catalog/rest/rest_catalog.h"

#include <gmock/gmock.h>

#include <atomic>
#include <deque>
#include <thread>

#include "catalog/catalog_conformance.h"
#include "catalog/commit_loop.h"
#include "testing/memory_file_store.h"
#include "testing/rest_catalog_server.h"
#include "testing/results.h"

namespace firn::catalog {
namespace {

using firn::testing::Do;
using firn::testing::MemoryFileStore;
using firn::testing::RestCatalogServer;
using firn::testing::RestServerOptions;
using firn::testing::ScriptedHttpServer;
using firn::testing::ScriptedReply;
using firn::testing::ScriptedRequest;
using firn::testing::Value;
using iceberg::CommitRequest;
using std::chrono::milliseconds;
using Fault = ScriptedReply::Fault;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

RestCatalogOptions OptionsFor(const std::string& url) {
  RestCatalogOptions options{.warehouse = "wh", .prefix = ""};
  options.session.uri = url;
  options.session.http.request_timeout = milliseconds(2000);
  return options;
}

std::unique_ptr<RestCatalog> Open(RestCatalogOptions options) {
  auto catalog = RestCatalog::Open(std::move(options));
  if (!catalog) throw std::runtime_error(catalog.error().message());
  return std::move(*catalog);
}

iceberg::NewTable SomeTable() {
  iceberg::NewTable table;
  table.schema.fields = {
      {.id = 1, .name = "id", .required = true, .type = iceberg::Type::Primitive(iceberg::TypeId::kLong)}};
  return table;
}

LoadedTable MakeTable(Catalog& catalog, const std::string& name = "t") {
  if (auto made = catalog.EnsureNamespace({"shop"}); !made) throw std::runtime_error(made.error().message());
  auto table = catalog.CreateTable({{"shop"}, name}, SomeTable());
  if (!table) throw std::runtime_error(table.error().message());
  return std::move(*table);
}

CommitRequest SetProperty(const LoadedTable& base) {
  return {.table = base.ident,
          .requirements = {iceberg::AssertTableUuid{base.metadata->table_uuid}},
          .updates = {iceberg::SetProperties{{{"k", "v"}}}}};
}

/// A first snapshot, number 9, of the commit "one".
TableChange AppendSnapshot(const LoadedTable& base, int* builds = nullptr) {
  return {.base = base,
          .build = [builds](const LoadedTable& fresh) -> Result<CommitRequest> {
            if (builds != nullptr) ++*builds;
            const iceberg::Snapshot snapshot{.snapshot_id = 9,
                                             .sequence_number = fresh.metadata->last_sequence_number + 1,
                                             .timestamp_ms = fresh.metadata->last_updated_ms + 1,
                                             .manifest_list = "memory://m",
                                             .summary = {{"operation", "append"}, {kCommitIdKey, "one"}}};
            return CommitRequest{
                .table = fresh.ident,
                .requirements = {iceberg::AssertRefSnapshotId{"main", std::nullopt}},
                .updates = {iceberg::AddSnapshot{snapshot}, iceberg::SetSnapshotRef{"main", {.snapshot_id = 9}}}};
          },
          .discard = {}};
}

Error CommitError(Catalog& catalog, const CommitRequest& request) {
  auto committed = catalog.CommitTables(std::span(&request, 1));
  if (committed.has_value()) throw std::runtime_error("it was committed");
  return committed.error();
}

// --- The conformance suite ---

class RestFixture : public CatalogFixture {
 public:
  explicit RestFixture(RestServerOptions options)
      : server_(std::move(options)), one_(Open(OptionsFor(server_.url()))), other_(Open(OptionsFor(server_.url()))) {}
  Catalog& catalog() override { return *one_; }
  Catalog& other_client() override { return *other_; }

 private:
  RestCatalogServer server_;
  std::unique_ptr<RestCatalog> one_;
  std::unique_ptr<RestCatalog> other_;
};

INSTANTIATE_TEST_SUITE_P(
    Rest, CatalogConformanceTest,
    ::testing::Values(CatalogMaker{"RestTogether", [] { return std::make_unique<RestFixture>(RestServerOptions{}); }},
                      CatalogMaker{"RestOneByOne",
                                   [] {
                                     return std::make_unique<RestFixture>(RestServerOptions{
                                         .commits_tables_together = false, .prefix = "", .separator = "%2E"});
                                   }}),
    CatalogName);

// --- Opening ---

TEST(RestCatalog, AsksForTheWarehouseAndFollowsWhatTheServerSays) {
  RestCatalogServer server({.prefix = "b|c"});
  auto catalog = Open(OptionsFor(server.url() + "/v1/"));
  MakeTable(*catalog);
  const auto requests = server.requests();
  EXPECT_EQ(requests.at(0).target, "/v1/config?warehouse=wh");
  EXPECT_EQ(requests.at(0).header("x-iceberg-access-delegation"), "vended-credentials");
  EXPECT_EQ(requests.back().path(), "/v1/b%7Cc/namespaces/shop/tables");
}

TEST(RestCatalog, WithoutAListOfEndpointsTablesCommitOneByOne) {
  RestCatalogServer server({.lists_endpoints = false});
  EXPECT_FALSE(Open(OptionsFor(server.url()))->CommitsTablesTogether());
  server.OnAnswer([](const ScriptedRequest& request, ScriptedReply reply) -> std::optional<ScriptedReply> {
    if (request.path().ends_with("/config")) {
      reply.body = R"({"defaults": {}, "overrides": {"nessie.is-nessie-catalog": "true"}})";
    }
    return reply;
  });
  EXPECT_TRUE(Open(OptionsFor(server.url()))->CommitsTablesTogether()) << "Nessie takes them";
}

TEST(RestCatalog, SaysWhatIsWrongWithTheAddress) {
  const auto open_with = [](ScriptedReply reply) {
    ScriptedHttpServer server([reply](const ScriptedRequest&) { return reply; });
    auto catalog = RestCatalog::Open(OptionsFor(server.url()));
    return catalog.has_value() ? MakeError(ErrorKind::kInternal, "opened") : catalog.error();
  };
  for (const int status : {302, 400, 404, 405}) {
    const Error error = open_with({.status = status, .body = "", .headers = {}});
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidConfig) << status;
    EXPECT_THAT(error.message(), HasSubstr("check catalog.uri"));
  }
  EXPECT_EQ(open_with({.status = 200, .body = "<html>", .headers = {}}).kind(), ErrorKind::kInvalidConfig);
  EXPECT_EQ(open_with({.status = 403, .body = "", .headers = {}}).kind(), ErrorKind::kPermission);
  EXPECT_EQ(open_with({.status = 500, .body = "", .headers = {}}).kind(), ErrorKind::kTransient);
}

TEST(RestCatalog, SendsTheOperatorsHeaders) {
  RestCatalogServer server;
  RestCatalogOptions options = OptionsFor(server.url());
  options.session.headers = {{"X-Realm", "a"}, {"x-iceberg-access-delegation", "remote-signing"}};
  Open(options);
  EXPECT_EQ(server.requests().at(0).header("x-realm"), "a");
  EXPECT_EQ(server.requests().at(0).header("x-iceberg-access-delegation"), "remote-signing");
}

TEST(RestCatalog, SignsWhereItIsToAndKeepsTheTokenBeside) {
  RestCatalogServer server;
  RestCatalogOptions options = OptionsFor(server.url());
  options.session.auth.token = "t";
  options.session.auth.signature = {.region = "eu-north-1", .service = "s3tables"};
  options.session.auth.aws_credentials = [] { return AwsCredentials{"key", "secret", ""}; };
  Open(options);
  const ScriptedRequest seen = server.requests().at(0);
  EXPECT_THAT(seen.header("authorization"), HasSubstr("/eu-north-1/s3tables/aws4_request"));
  EXPECT_EQ(seen.header("original-authorization"), "Bearer t");
}

// --- Tokens ---

RestCatalogOptions WithClient(const RestCatalogServer& server, const std::string& credential) {
  RestCatalogOptions options = OptionsFor(server.url());
  options.session.auth.credential = credential;
  return options;
}

TEST(RestCatalog, AsksForATokenAndRenewsItWhenItIsRefused) {
  for (const int refusal : {401, 419}) {
    RestCatalogServer server({.client = "firn:s3cret"});
    auto catalog = Open(WithClient(server, "firn:s3cret"));
    const LoadedTable table = MakeTable(*catalog);
    EXPECT_EQ(server.Count("POST", "/oauth/tokens"), 1);
    server.RevokeTokens(refusal);
    EXPECT_TRUE(catalog->CommitTables(std::vector{SetProperty(table)}).has_value());
    EXPECT_EQ(server.Count("POST", "/oauth/tokens"), 2);
    EXPECT_EQ(server.catalog().commits(), 1);
  }
}

TEST(RestCatalog, TokensThatExpireAtOnceAreRenewedForEachRequest) {
  RestCatalogServer server({.client = "firn:s3cret", .token_life_seconds = 0});
  auto catalog = Open(WithClient(server, "firn:s3cret"));
  EXPECT_TRUE(catalog->ListNamespaces().has_value());
  EXPECT_EQ(server.Count("POST", "/oauth/tokens"), 2);
}

TEST(RestCatalog, AWrongSecretOrTokenIsAMissingRight) {
  RestCatalogServer server({.client = "firn:s3cret"});
  const auto wrong = RestCatalog::Open(WithClient(server, "firn:hunter2"));
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().kind(), ErrorKind::kPermission);
  EXPECT_THAT(wrong.error().message(), AllOf(HasSubstr("catalog.credential"), Not(HasSubstr("hunter2"))));
  RestCatalogOptions options = OptionsFor(server.url());
  options.session.auth.token = "hunter2";
  const auto expired = RestCatalog::Open(options);
  ASSERT_FALSE(expired.has_value());
  EXPECT_EQ(expired.error().kind(), ErrorKind::kPermission);
  EXPECT_THAT(expired.error().message(), AllOf(HasSubstr("catalog.token"), Not(HasSubstr("hunter2"))));
}

// --- What an answer means ---

TEST(RestCatalog, EveryStatusOfACommitHasItsMeaning) {
  RestCatalogServer server;
  auto catalog = Open(OptionsFor(server.url()));
  const LoadedTable table = MakeTable(*catalog);
  const std::vector<std::pair<int, ErrorKind>> meanings = {
      {400, ErrorKind::kInvalidConfig}, {401, ErrorKind::kPermission},    {403, ErrorKind::kPermission},
      {404, ErrorKind::kTableNotFound}, {405, ErrorKind::kUnsupported},   {406, ErrorKind::kUnsupported},
      {408, ErrorKind::kCommitUnknown}, {409, ErrorKind::kConflict},      {419, ErrorKind::kPermission},
      {429, ErrorKind::kTransient},     {500, ErrorKind::kCommitUnknown}, {501, ErrorKind::kUnsupported},
      {502, ErrorKind::kCommitUnknown}, {503, ErrorKind::kCommitUnknown}, {504, ErrorKind::kCommitUnknown},
      {520, ErrorKind::kCommitUnknown}};
  for (const auto& [status, kind] : meanings) {
    server.OnRequest([status = status](const ScriptedRequest& request) -> std::optional<ScriptedReply> {
      if (request.method != "POST") return std::nullopt;
      return ScriptedReply{.status = status,
                           .body = R"({"error": {"message": "the server's\nwords token=hunter2", "type": "T"}})",
                           .headers = {}};
    });
    const Error error = CommitError(*catalog, SetProperty(table));
    EXPECT_EQ(error.kind(), kind) << status;
    EXPECT_EQ(error.origin(), ErrorOrigin::kCatalog);
    EXPECT_EQ(error.native_code(), std::to_string(status));
    EXPECT_THAT(error.message(), AllOf(HasSubstr("table shop.t"), HasSubstr("T: the server's words"),
                                       Not(HasSubstr("hunter2")), Not(HasSubstr("\n"))));
  }
  EXPECT_EQ(server.catalog().commits(), 0);
}

TEST(RestCatalog, AServerThatAsksToWaitIsWaitedFor) {
  RestCatalogServer server;
  auto catalog = Open(OptionsFor(server.url()));
  const LoadedTable table = MakeTable(*catalog);
  for (const auto& [status, kind] : {std::pair{429, ErrorKind::kTransient}, {503, ErrorKind::kCommitUnknown}}) {
    server.OnRequest([status = status](const ScriptedRequest&) {
      return ScriptedReply{.status = status, .body = "", .headers = {{"Retry-After", "7"}}};
    });
    const Error error = CommitError(*catalog, SetProperty(table));
    EXPECT_EQ(error.kind(), kind);
    EXPECT_EQ(error.retry_after(), milliseconds(7000));
  }
}

TEST(RestCatalog, ALostAnswerToACommitIsUnknownAndTheLoopFindsIt) {
  for (const Fault fault : {Fault::kReset, Fault::kHalf, Fault::kHalfReset}) {
    RestCatalogServer server;
    auto catalog = Open(OptionsFor(server.url()));
    const LoadedTable table = MakeTable(*catalog);
    server.OnAnswer([fault](const ScriptedRequest& request, ScriptedReply reply) -> std::optional<ScriptedReply> {
      if (request.method != "POST") return std::nullopt;
      reply.fault = fault;
      return reply;
    });
    int builds = 0;
    const TableChange change = AppendSnapshot(table, &builds);
    const auto receipt =
        CommitChanges(*catalog, std::span(&change, 1), "one", Lsn{1}, {.base_delay = milliseconds(1)}, {});
    ASSERT_TRUE(receipt.has_value()) << receipt.error().message();
    EXPECT_EQ(builds, 1);
    EXPECT_EQ(server.catalog().commits(), 1) << "nothing was sent twice";
    EXPECT_EQ(receipt->tables().front().metadata->current_snapshot_id, 9);
  }
}

TEST(RestCatalog, AnAnswerThatCannotBeReadIsUnknownToo) {
  RestCatalogServer server;
  auto catalog = Open(OptionsFor(server.url()));
  const LoadedTable table = MakeTable(*catalog);
  for (const std::string body : {"", "{", "[]", R"({"metadata": {}})"}) {
    server.OnAnswer([body](const ScriptedRequest&, const ScriptedReply&) {
      return ScriptedReply{.status = 200, .body = body, .headers = {}};
    });
    EXPECT_EQ(CommitError(*catalog, SetProperty(table)).kind(), ErrorKind::kCommitUnknown) << body;
    EXPECT_EQ(catalog->LoadTable(table.ident).error().kind(), ErrorKind::kCorrupt) << body;
  }
}

TEST(RestCatalog, WhatCommitsNameIsDurable) {
  RestCatalogServer server;
  auto catalog = Open(OptionsFor(server.url()));
  MemoryFileStore store;
  catalog->SetStore(store);
  const LoadedTable table = MakeTable(*catalog);
  Do(store.Write("file:///data", "rows"));
  Value(catalog->CommitTables(std::vector{SetProperty(table)}));
  store.CutPower();
  Value(store.Stat("file:///data"));
}

TEST(RestCatalog, AfterACommitOfSeveralTheirLoadIsPartOfIt) {
  RestCatalogServer server;
  auto catalog = Open(OptionsFor(server.url()));
  const LoadedTable a = MakeTable(*catalog, "a");
  const LoadedTable b = MakeTable(*catalog, "b");
  server.OnRequest([](const ScriptedRequest& request) -> std::optional<ScriptedReply> {
    if (request.method != "GET") return std::nullopt;
    return ScriptedReply{.status = 500, .body = "", .headers = {}};
  });
  const auto committed = catalog->CommitTables(std::vector{SetProperty(a), SetProperty(b)});
  ASSERT_FALSE(committed.has_value());
  EXPECT_EQ(committed.error().kind(), ErrorKind::kCommitUnknown);
  EXPECT_EQ(server.Count("POST", "/transactions/commit"), 1);
}

TEST(RestCatalog, ACommitOfSeveralThatWasAcknowledgedAndLostIsMadeAgain) {
  RestCatalogServer server;
  auto catalog = Open(OptionsFor(server.url()));
  std::vector<TableChange> changes;
  for (const std::string name : {"a", "b"}) {
    changes.push_back(AppendSnapshot(MakeTable(*catalog, name)));
  }
  std::atomic<bool> is_first = true;
  server.OnRequest([&](const ScriptedRequest& request) -> std::optional<ScriptedReply> {
    if (!request.path().ends_with("/transactions/commit") || !is_first.exchange(false)) return std::nullopt;
    return ScriptedReply{.status = 204, .body = "", .headers = {}};
  });
  const auto receipt = CommitChanges(*catalog, changes, "one", Lsn{1}, {.base_delay = milliseconds(1)}, {});
  ASSERT_TRUE(receipt.has_value()) << receipt.error().message();
  EXPECT_EQ(server.Count("POST", "/transactions/commit"), 2);
  for (const LoadedTable& table : receipt->tables()) EXPECT_EQ(table.metadata->current_snapshot_id, 9);
}

TEST(RestCatalog, AReadThatBreaksIsMadeAgain) {
  RestCatalogServer server;
  auto catalog = Open(OptionsFor(server.url()));
  const LoadedTable table = MakeTable(*catalog);
  std::atomic<int> failures = 2;
  server.OnRequest([&](const ScriptedRequest&) -> std::optional<ScriptedReply> {
    if (failures-- <= 0) return std::nullopt;
    return ScriptedReply{
        .status = 502, .body = "{}", .headers = {}, .fault = failures == 1 ? Fault::kHalf : Fault::kNone};
  });
  EXPECT_TRUE(catalog->LoadTable(table.ident).has_value());
  failures = 100;
  EXPECT_EQ(catalog->LoadTable(table.ident).error().kind(), ErrorKind::kTransient);
}

// --- Creating ---

TEST(RestCatalog, FieldIdsOfTheirOwnNeedAStagedTable) {
  RestCatalogServer server;
  auto catalog = Open(OptionsFor(server.url()));
  ASSERT_TRUE(catalog->EnsureNamespace({"shop"}).has_value());
  iceberg::NewTable table = SomeTable();
  table.schema.fields[0].id = 5;
  table.properties = {{"owner", "firn"}};
  table.format_version = 3;
  const auto made = catalog->CreateTable({{"shop"}, "t"}, table);
  ASSERT_TRUE(made.has_value()) << made.error().message();
  EXPECT_EQ(made->metadata->CurrentSchema().fields, table.schema.fields);
  EXPECT_EQ(made->metadata->format_version, 3);
  EXPECT_EQ(made->metadata->properties.at("owner"), "firn");
  EXPECT_EQ(catalog->CreateTable({{"shop"}, "t"}, table).error().kind(), ErrorKind::kAlreadyExists);
}

TEST(RestCatalog, ATableWhoseAnswerWasLostIsFound) {
  RestCatalogServer server;
  auto catalog = Open(OptionsFor(server.url()));
  ASSERT_TRUE(catalog->EnsureNamespace({"shop"}).has_value());
  server.OnAnswer([](const ScriptedRequest& request, ScriptedReply reply) -> std::optional<ScriptedReply> {
    if (request.method != "POST") return std::nullopt;
    reply.fault = Fault::kReset;
    return reply;
  });
  EXPECT_TRUE(catalog->CreateTable({{"shop"}, "t"}, SomeTable()).has_value());
  server.OnAnswer({});
  server.OnRequest([](const ScriptedRequest& request) -> std::optional<ScriptedReply> {
    if (request.method != "POST") return std::nullopt;
    return ScriptedReply{.status = 504, .body = "", .headers = {}};
  });
  EXPECT_EQ(catalog->CreateTable({{"shop"}, "u"}, SomeTable()).error().kind(), ErrorKind::kTransient)
      << "it was not made, and may be asked for again";
}

TEST(RestCatalog, WithIdempotencyKeysAChangeIsSentAgainUnderItsKey) {
  RestCatalogServer server({.takes_idempotency_keys = true});
  auto catalog = Open(OptionsFor(server.url()));
  const LoadedTable table = MakeTable(*catalog);
  std::vector<std::string> keys;
  server.OnRequest([&](const ScriptedRequest& request) -> std::optional<ScriptedReply> {
    keys.push_back(request.header("idempotency-key"));
    if (keys.size() > 1) return std::nullopt;
    return ScriptedReply{.status = 200, .body = "", .headers = {}, .fault = Fault::kReset};
  });
  EXPECT_TRUE(catalog->CommitTables(std::vector{SetProperty(table)}).has_value());
  ASSERT_THAT(keys, SizeIs(2));
  EXPECT_EQ(keys[0], keys[1]);
  EXPECT_EQ(keys[0].size(), 36u);
  EXPECT_EQ(keys[0][14], '7') << "a UUID of version 7, as the spec asks";
}

TEST(RestCatalog, ARefusalOfAChangeThatWasSentBeforeIsUnknown) {
  RestCatalogServer server({.takes_idempotency_keys = true});
  auto catalog = Open(OptionsFor(server.url()));
  const LoadedTable table = MakeTable(*catalog);
  int posts = 0;
  // The first is done and its answer lost; the server that gets the second knows nothing of its key.
  server.OnRequest([&](const ScriptedRequest& request) -> std::optional<ScriptedReply> {
    if (request.method != "POST" || ++posts < 2) return std::nullopt;
    return ScriptedReply{.status = 409, .body = "", .headers = {}};
  });
  server.OnAnswer([&](const ScriptedRequest& request, const ScriptedReply&) -> std::optional<ScriptedReply> {
    if (request.method != "POST") return std::nullopt;
    return ScriptedReply{.status = 504, .body = "", .headers = {}};
  });
  EXPECT_EQ(CommitError(*catalog, SetProperty(table)).kind(), ErrorKind::kCommitUnknown);
  EXPECT_EQ(posts, 2);
  EXPECT_EQ(server.catalog().commits(), 1);
}

// --- Vending ---

TEST(RestCatalog, HandsOutWhatCameWithATableAndAsksForMore) {
  std::atomic<int> loads = 0;
  RestCatalogServer server({.table_config = {{"s3.endpoint", "http://s3"}, {"s3.access-key-id", "a"}}});
  auto catalog = Open(OptionsFor(server.url()));
  const std::string location = MakeTable(*catalog).metadata->location;
  server.OnRequest([&](const ScriptedRequest& request) -> std::optional<ScriptedReply> {
    loads += request.method == "GET";
    return std::nullopt;
  });
  const auto first = catalog->Vend(location + "/data/x.parquet");
  ASSERT_TRUE(first.has_value());
  ASSERT_THAT(*first, SizeIs(1));
  EXPECT_EQ(first->front().options.at("access_key_id"), "a");
  EXPECT_EQ(loads, 0);
  EXPECT_THAT(catalog->Vend(location + "/metadata/y").value(), SizeIs(1));
  EXPECT_EQ(loads, 1) << "who asks again wants fresh ones";
  EXPECT_THAT(catalog->Vend(location + "-of-another/z").value(), IsEmpty());
  EXPECT_EQ(loads, 1);
}

TEST(RestCatalog, AsksForCredentialsWhereTheServerHasThemAlone) {
  RestCatalogServer server(
      {.table_config = {{"s3.endpoint", "http://s3"}},
       .storage_credentials = {{{"prefix", "memory://warehouse/shop/t"}, {"config", {{"s3.access-key-id", "b"}}}}},
       .offers_credentials = true});
  auto catalog = Open(OptionsFor(server.url()));
  const std::string location = MakeTable(*catalog).metadata->location;
  for (int i = 0; i < 2; ++i) {
    const auto vended = catalog->Vend(location + "/data/x");
    ASSERT_THAT(vended.value(), SizeIs(1));
    EXPECT_EQ(vended->front().prefix, "memory://warehouse/shop/t");
    EXPECT_EQ(vended->front().options, (storage::StoreOptions{{"access_key_id", "b"}, {"endpoint", "http://s3"}}));
  }
  EXPECT_EQ(server.Count("GET", "/credentials"), 1);
}

TEST(RestCatalog, ATableOfWhichNothingIsVendedIsNotAskedForAgain) {
  RestCatalogServer server;
  auto catalog = Open(OptionsFor(server.url()));
  const std::string location = MakeTable(*catalog).metadata->location;
  const size_t before = server.requests().size();
  for (int i = 0; i < 3; ++i) EXPECT_THAT(catalog->Vend(location + "/x").value(), IsEmpty());
  EXPECT_EQ(server.requests().size(), before);
}

}  // namespace
}  // namespace firn::catalog
