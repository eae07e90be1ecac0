#include "catalog/rest/token_source.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>
#include <vector>

#include "testing/scripted_http_server.h"

namespace firn::catalog::rest {
namespace {

using firn::testing::ScriptedHttpServer;
using firn::testing::ScriptedReply;
using firn::testing::ScriptedRequest;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// Answers with "t1", "t2", … that live so long.
class TokenServer {
 public:
  explicit TokenServer(std::string expires_in)
      : server_([this, expires_in](const ScriptedRequest&) {
          const int number = ++count_;
          while (hold_) std::this_thread::yield();
          if (status_ != 200) {
            return ScriptedReply{.status = status_,
                                 .body = R"({"error": "invalid_client", "error_description": "secret=hunter2"})",
                                 .headers = {}};
          }
          return ScriptedReply{
              .status = 200,
              .body = fmt::format(R"({{"access_token": "t{}", "token_type": "bearer"{}}})", number, expires_in),
              .headers = {}};
        }) {}
  TokenOptions Options() const {
    return {.server_uri = server_.url() + "/token",
            .client_id = "firn",
            .client_secret = "hunter2&=",
            .scope = "catalog",
            .parameters = {{"audience", "lake"}}};
  }

  std::atomic<int> count_ = 0;
  std::atomic<bool> hold_ = false;
  std::atomic<int> status_ = 200;
  ScriptedHttpServer server_;
};

class TokenSourceTest : public ::testing::Test {
 protected:
  http::HttpClient client_{{.user_agent = "", .ca_file = ""}};
};

TEST_F(TokenSourceTest, AsksAsRfc6749Says) {
  TokenServer server("");
  TokenSource tokens(server.Options(), client_);
  EXPECT_EQ(tokens.Get().value(), "t1");
  const ScriptedRequest seen = server.server_.requests().at(0);
  EXPECT_EQ(seen.header("content-type"), "application/x-www-form-urlencoded");
  EXPECT_EQ(seen.body,
            "grant_type=client_credentials&client_id=firn&client_secret=hunter2%26%3D&scope=catalog&audience=lake");
}

TEST_F(TokenSourceTest, KeepsATokenWhileItLasts) {
  for (const std::string life : {"", R"(, "expires_in": 3600)"}) {
    TokenServer server(life);
    TokenSource tokens(server.Options(), client_);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(tokens.Get().value(), "t1");
  }
}

TEST_F(TokenSourceTest, RenewsAnExpiredToken) {
  TokenServer server(R"(, "expires_in": 0)");
  TokenSource tokens(server.Options(), client_);
  EXPECT_EQ(tokens.Get().value(), "t1");
  EXPECT_EQ(tokens.Get().value(), "t2");
}

TEST_F(TokenSourceTest, RenewsARefusedTokenOnce) {
  TokenServer server("");
  TokenSource tokens(server.Options(), client_);
  EXPECT_EQ(tokens.Get().value(), "t1");
  tokens.Refused("t1");
  EXPECT_EQ(tokens.Get().value(), "t2");
  tokens.Refused("t1");  // Told late, by another thread.
  EXPECT_EQ(tokens.Get().value(), "t2");
}

TEST_F(TokenSourceTest, ManyThreadsAskOnce) {
  TokenServer server("");
  server.hold_ = true;
  TokenSource tokens(server.Options(), client_);
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) threads.emplace_back([&] { right += tokens.Get().value_or("") == "t1"; });
    while (server.count_ == 0) std::this_thread::yield();
    server.hold_ = false;
  }
  EXPECT_EQ(right, 8);
  EXPECT_EQ(server.count_, 1);
}

TEST_F(TokenSourceTest, ARefusedClientIsAMissingRightAndNoSecretIsShown) {
  TokenServer server("");
  server.status_ = 401;
  TokenSource tokens(server.Options(), client_);
  const auto refused = tokens.Get();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind(), ErrorKind::kPermission);
  EXPECT_THAT(refused.error().message(),
              AllOf(HasSubstr("invalid_client"), HasSubstr("check catalog.credential"), Not(HasSubstr("hunter2"))));
}

TEST_F(TokenSourceTest, AServerInTroubleIsTransientAndAFreshTokenOutlivesIt) {
  TokenServer server(R"(, "expires_in": 3600)");
  server.status_ = 503;
  TokenSource tokens(server.Options(), client_);
  EXPECT_EQ(tokens.Get().error().kind(), ErrorKind::kTransient);
  server.status_ = 200;
  EXPECT_EQ(tokens.Get().value(), "t2");
  server.status_ = 503;
  EXPECT_EQ(tokens.Get().value(), "t2");
}

}  // namespace
}  // namespace firn::catalog::rest
