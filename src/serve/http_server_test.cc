#include "serve/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <nlohmann/json.hpp>

namespace firn::serve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class HttpServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto server = HttpServer::Start("127.0.0.1:0", metrics_, status_);
    ASSERT_TRUE(server.has_value()) << server.error().message();
    server_ = *std::move(server);
  }

  httplib::Response Get(const std::string& path) {
    httplib::Client client("127.0.0.1", server_->port());
    const auto result = client.Get(path);
    EXPECT_TRUE(result) << path << ": " << httplib::to_string(result.error());
    return result ? *result : httplib::Response();
  }

  void SetState(const std::string& state) {
    PipelineStatus status;
    status.state = state;
    status_.Set(status);
  }

  Metrics metrics_;
  StatusBoard status_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, ServesMetricsForPrometheus) {
  metrics_.SetTableCount(7);
  const auto response = Get("/metrics");
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.get_header_value("Content-Type"), StartsWith("text/plain; version=0.0.4"));
  EXPECT_THAT(response.body, HasSubstr("iceberg_table_count 7\n"));
}

TEST_F(HttpServerTest, ServesTheLatestStatusAsJson) {
  SetState("streaming");
  const auto response = Get("/status");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.get_header_value("Content-Type"), "application/json");
  EXPECT_EQ(nlohmann::json::parse(response.body)["state"], "streaming");
}

TEST_F(HttpServerTest, MetricsTellWhatTheStatusTells) {
  PipelineStatus status;
  status.tables = {{.source = "public.orders", .contents = TableContents{.rows = 12}}};
  status_.Set(status);
  EXPECT_THAT(Get("/metrics").body, HasSubstr("firn_table_rows{table=\"public.orders\"} 12\n"));
}

TEST_F(HttpServerTest, ServesThePageWithAllThatItNeeds) {
  const auto page = Get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.get_header_value("Content-Type"), StartsWith("text/html"));
  for (const char* file : {"page.css", "page.js"}) {
    EXPECT_THAT(page.body, HasSubstr("\"" + std::string(file) + "\""));
    EXPECT_EQ(Get("/" + std::string(file)).status, 200);
    EXPECT_FALSE(Get("/" + std::string(file)).body.empty());
  }
}

TEST_F(HttpServerTest, LetsThePageRunNothingFromElsewhere) {
  const auto page = Get("/");
  EXPECT_THAT(
      page.get_header_value("Content-Security-Policy"),
      AllOf(HasSubstr("default-src 'none'"), HasSubstr("script-src 'self';"), HasSubstr("frame-ancestors 'none'")));
  EXPECT_EQ(page.get_header_value("X-Content-Type-Options"), "nosniff");
  for (const char* other : {"http://", "https://", "<script>", "onclick", "style=\""}) {
    EXPECT_THAT(page.body, Not(HasSubstr(other)));
  }
}

TEST_F(HttpServerTest, RemembersSamplesForTheCharts) {
  const auto history = nlohmann::json::parse(Get("/history").body);
  EXPECT_TRUE(history["age_s"].is_array());
  EXPECT_EQ(history["age_s"].size(), history["lag_seconds"].size());
}

TEST_F(HttpServerTest, IsHealthyWhateverThePipelineDoes) {
  EXPECT_EQ(Get("/healthz").status, 200);
  EXPECT_EQ(Get("/healthz").body, "ok\n");
}

TEST_F(HttpServerTest, IsReadyWhileItCopiesOrStreams) {
  EXPECT_EQ(Get("/readyz").status, 503);
  for (const auto& [state, code] : std::map<std::string, int>{
           {"starting", 503}, {"copying", 200}, {"streaming", 200}, {"retrying", 503}, {"stopping", 503}}) {
    SetState(state);
    EXPECT_EQ(Get("/readyz").status, code) << state;
    EXPECT_EQ(Get("/readyz").body, state + "\n");
  }
}

TEST_F(HttpServerTest, TellsWhatThereIsForOtherPaths) {
  const auto response = Get("/other");
  EXPECT_EQ(response.status, 404);
  EXPECT_THAT(response.body, HasSubstr("/metrics"));
}

TEST_F(HttpServerTest, SaysWhatToDoWhenThePortIsTaken) {
  const std::string address = "127.0.0.1:" + std::to_string(server_->port());
  const auto second = HttpServer::Start(address, metrics_, status_);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().kind(), ErrorKind::kTransient);
  EXPECT_THAT(second.error().message(), AllOf(HasSubstr(address), HasSubstr("set http.listen to a free port")));
}

TEST_F(HttpServerTest, FreesItsPortWhenItIsDestroyed) {
  const int port = server_->port();
  EXPECT_EQ(Get("/healthz").status, 200);
  server_.reset();
  const auto again = HttpServer::Start("127.0.0.1:" + std::to_string(port), metrics_, status_);
  ASSERT_TRUE(again.has_value()) << again.error().message();
  EXPECT_EQ((*again)->port(), port);
}

TEST_F(HttpServerTest, StopsWhileAClientIsConnectedAndSilent) {
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(server_->port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(Get("/healthz").status, 200);  // the silent client does not keep others out
  const auto start = std::chrono::steady_clock::now();
  server_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(4));
  close(client);
}

class HttpServerActionsTest : public ::testing::Test {
 protected:
  static constexpr const char* kToken = "0123456789abcdef";

  httplib::Response Post(const std::string& path, const std::string& authorization, const std::string& body = "{}") {
    Actions actions{.token = kToken,
                    .resync = [this](const std::string& table) -> Result<std::string> {
                      resynced_ = table;
                      return "copied again";
                    },
                    .compact = [this](const std::string& table) -> Result<std::string> {
                      compacted_ = table;
                      return "compacted";
                    },
                    .pause = []() -> Result<std::string> { return MakeError(ErrorKind::kConflict, "paused already"); },
                    .resume = []() -> Result<std::string> { return "goes on"; }};
    const auto server = HttpServer::Start("127.0.0.1:0", metrics_, status_, std::move(actions));
    httplib::Client client("127.0.0.1", (*server)->port());
    httplib::Headers headers;
    if (!authorization.empty()) headers.emplace("Authorization", authorization);
    const auto result = client.Post(path, headers, body, "application/json");
    EXPECT_TRUE(result) << httplib::to_string(result.error());
    return result ? *result : httplib::Response();
  }

  Metrics metrics_;
  StatusBoard status_;
  std::string resynced_;
  std::string compacted_;
};

TEST_F(HttpServerActionsTest, ActsForWhoHasTheToken) {
  const auto response = Post("/actions/resync", "Bearer 0123456789abcdef", R"({"table": "public.orders"})");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(nlohmann::json::parse(response.body)["outcome"], "copied again");
  EXPECT_EQ(resynced_, "public.orders");
  EXPECT_EQ(compacted_, "");
  EXPECT_EQ(Post("/actions/compact", "Bearer 0123456789abcdef", R"({"table": "public.items"})").status, 200);
  EXPECT_EQ(compacted_, "public.items");
}

TEST_F(HttpServerActionsTest, RefusesAnyOtherToken) {
  for (const char* authorization : {"", "Bearer ", "Bearer 0123456789abcdeF", "Bearer 0123456789abcde",
                                    "Bearer 0123456789abcdef0", "0123456789abcdef", "Basic 0123456789abcdef"}) {
    const auto response = Post("/actions/resync", authorization, R"({"table": "public.orders"})");
    EXPECT_EQ(response.status, 401) << authorization;
    EXPECT_EQ(response.get_header_value("WWW-Authenticate"), "Bearer");
    EXPECT_TRUE(nlohmann::json::parse(response.body).contains("error"));
  }
  EXPECT_EQ(resynced_, "");
}

TEST_F(HttpServerActionsTest, TellsWhyItRefuses) {
  const auto conflict = Post("/actions/pause", "Bearer 0123456789abcdef");
  EXPECT_EQ(conflict.status, 409);
  EXPECT_EQ(nlohmann::json::parse(conflict.body)["error"], "paused already");
  EXPECT_EQ(Post("/actions/resync", "Bearer 0123456789abcdef", "no json").status, 400);
  EXPECT_EQ(Post("/actions/other", "Bearer 0123456789abcdef").status, 404);
}

/// As curl -X POST sends it, without a body or a word of one.
std::string PostNothing(int port, const std::string& path, const std::string& headers) {
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    const std::string request = "POST " + path + " HTTP/1.1\r\nHost: here\r\n" + headers + "\r\n";
    send(client, request.data(), request.size(), 0);
    char bytes[4096];
    for (ssize_t got; (got = recv(client, bytes, sizeof(bytes), 0)) > 0;) {
      answer.append(bytes, static_cast<size_t>(got));
    }
  }
  close(client);
  return answer;
}

TEST_F(HttpServerActionsTest, TakesAnActionWithoutABody) {
  bool is_paused = false;
  const auto pause = [&]() -> Result<std::string> {
    is_paused = true;
    return "paused";
  };
  const auto server = HttpServer::Start("127.0.0.1:0", metrics_, status_, {.token = kToken, .pause = pause});
  const int port = (*server)->port();
  EXPECT_THAT(PostNothing(port, "/actions/pause", ""), StartsWith("HTTP/1.1 401"));
  EXPECT_FALSE(is_paused);
  const std::string token = "Authorization: Bearer 0123456789abcdef\r\n";
  EXPECT_THAT(PostNothing(port, "/actions/pause", token), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("paused")));
  EXPECT_TRUE(is_paused);
  EXPECT_THAT(PostNothing(port, "/actions/resync", token), StartsWith("HTTP/1.1 400"));
}

TEST_F(HttpServerTest, HasNoActionsWithoutAToken) {
  httplib::Client client("127.0.0.1", server_->port());
  for (const char* authorization : {"Bearer ", "Bearer x"}) {
    const auto result = client.Post("/actions/pause", {{"Authorization", authorization}}, "{}", "application/json");
    ASSERT_TRUE(result);
    EXPECT_EQ(result->status, 403);
  }
  EXPECT_EQ(nlohmann::json::parse(Get("/actions").body), (nlohmann::json{{"available", false}, {"authorized", false}}));
}

TEST(HttpServer, RefusesABadAddress) {
  Metrics metrics;
  StatusBoard status;
  for (const char* listen : {"localhost", "[::1]", "127.0.0.1:99999", "203.0.113.77:0", "no.such.host.invalid:9090"}) {
    const auto server = HttpServer::Start(listen, metrics, status);
    ASSERT_FALSE(server.has_value()) << listen;
    EXPECT_EQ(server.error().kind(), ErrorKind::kInvalidConfig) << server.error().message();
  }
}

TEST(HttpServer, ListensOnIpv6) {
  Metrics metrics;
  StatusBoard status;
  const auto server = HttpServer::Start("[::1]:0", metrics, status);
  if (!server) GTEST_SKIP() << "no IPv6 here: " << server.error().message();
  httplib::Client client("::1", (*server)->port());
  const auto response = client.Get("/healthz");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200);
}

}  // namespace
}  // namespace firn::serve
