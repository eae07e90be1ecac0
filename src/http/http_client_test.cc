#include "http/http_client.h"

#include <gmock/gmock.h>

#include <atomic>
#include <ctime>
#include <thread>
#include <vector>

#include "testing/scripted_http_server.h"

namespace firn::http {
namespace {

using firn::testing::ScriptedHttpServer;
using firn::testing::ScriptedReply;
using firn::testing::ScriptedRequest;
using Fault = ScriptedReply::Fault;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

HttpClientOptions Quick() { return {.user_agent = "firn/test", .request_timeout = milliseconds(5000), .ca_file = ""}; }

ScriptedHttpServer::Handler Always(ScriptedReply reply) {
  return [reply](const ScriptedRequest&) { return reply; };
}

Error ErrorOf(Result<HttpResponse> result) {
  if (result.has_value()) throw std::runtime_error("it was answered");
  return result.error();
}

TEST(HttpClient, SendsMethodTargetHeadersAndBody) {
  ScriptedHttpServer server(Always({.status = 201, .body = "made", .headers = {{"X-Kind", "a"}}}));
  HttpClient client(Quick());
  const auto response = client.Send({.method = "POST",
                                     .url = server.url() + "/v1/a%1Fb?x=1%2F2",
                                     .headers = {{"Content-Type", "application/json"}, {"X-Empty", ""}},
                                     .body = "{}",
                                     .signing = {}});
  ASSERT_TRUE(response.has_value()) << response.error().message();
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->body, "made");
  EXPECT_EQ(response->Header("x-kind"), "a");
  EXPECT_EQ(response->Header("x-other"), "");
  const ScriptedRequest seen = server.requests().at(0);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.target, "/v1/a%1Fb?x=1%2F2");
  EXPECT_EQ(seen.body, "{}");
  EXPECT_EQ(seen.header("content-type"), "application/json");
  EXPECT_EQ(seen.header("user-agent"), "firn/test");
  EXPECT_TRUE(seen.headers.contains("x-empty"));
  EXPECT_FALSE(seen.headers.contains("expect"));
}

TEST(HttpClient, EveryStatusIsAnAnswer) {
  for (const int status : {200, 204, 301, 404, 409, 419, 429, 500, 503}) {
    ScriptedHttpServer server(Always({.status = status, .body = "", .headers = {{"Location", "/elsewhere"}}}));
    HttpClient client(Quick());
    const auto response =
        client.Send({.method = "DELETE", .url = server.url() + "/", .headers = {}, .body = "", .signing = {}});
    ASSERT_TRUE(response.has_value()) << status;
    EXPECT_EQ(response->status, status);
    EXPECT_EQ(server.requests().size(), 1u);
  }
}

TEST(HttpClient, KeepsConnections) {
  ScriptedHttpServer server(Always({.status = 200, .body = "{}", .headers = {}}));
  HttpClient client(Quick());
  for (int i = 0; i < 5; ++i)
    ASSERT_TRUE(client.Send({.url = server.url() + "/", .headers = {}, .body = "", .signing = {}}).has_value());
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, ThreadsSendSideBySide) {
  std::atomic<int> inside = 0;
  ScriptedHttpServer server([&](const ScriptedRequest& request) {
    ++inside;
    while (inside < 4) std::this_thread::yield();  // Answers once all four are there.
    return ScriptedReply{.status = 200, .body = request.target, .headers = {}};
  });
  HttpClient client(Quick());
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        const std::string target = "/" + std::to_string(i);
        const auto response = client.Send({.url = server.url() + target, .headers = {}, .body = "", .signing = {}});
        right += response.has_value() && response->body == target;
      });
    }
  }
  EXPECT_EQ(right, 4);
}

TEST(HttpClient, WhatNeverArrivedIsTransient) {
  int port = 0;
  {
    ScriptedHttpServer gone(Always({}));
    port = gone.port();
  }
  HttpClient client(Quick());
  const Error refused = ErrorOf(client.Send({.method = "POST",
                                             .url = "http://127.0.0.1:" + std::to_string(port) + "/v1/x?secret=1",
                                             .headers = {},
                                             .body = "",
                                             .signing = {}}));
  EXPECT_EQ(refused.kind(), ErrorKind::kTransient);
  EXPECT_EQ(refused.origin(), ErrorOrigin::kCatalog);
  EXPECT_THAT(refused.message(), AllOf(HasSubstr("POST 127.0.0.1"), HasSubstr("/v1/x"), Not(HasSubstr("secret"))));
  EXPECT_EQ(ErrorOf(client.Send(
                        {.method = "POST", .url = "http://nowhere.invalid/", .headers = {}, .body = "", .signing = {}}))
                .kind(),
            ErrorKind::kTransient);
}

TEST(HttpClient, FailedHandshakeIsTransient) {
  ScriptedHttpServer plain(Always({}));
  HttpClient client({.user_agent = "", .request_timeout = milliseconds(300), .ca_file = ""});
  EXPECT_EQ(ErrorOf(client.Send({.method = "POST",
                                 .url = "https://127.0.0.1:" + std::to_string(plain.port()) + "/",
                                 .headers = {},
                                 .body = "",
                                 .signing = {}}))
                .kind(),
            ErrorKind::kTransient);
}

TEST(HttpClient, WhatIsNoUrlIsWrongConfiguration) {
  HttpClient client(Quick());
  for (const std::string url : {"ftp://host/", "http://", "http://host:port/", "file:///etc/passwd"}) {
    EXPECT_EQ(ErrorOf(client.Send({.url = url, .headers = {}, .body = "", .signing = {}})).kind(),
              ErrorKind::kInvalidConfig)
        << url;
  }
  const Error split =
      ErrorOf(client.Send({.url = "http://host/", .headers = {{"X", "a\r\nY: b"}}, .body = "", .signing = {}}));
  EXPECT_EQ(split.kind(), ErrorKind::kInvalidConfig);
}

TEST(HttpClient, LostAnswersAreUnknown) {
  for (const Fault fault : {Fault::kReset, Fault::kHalf, Fault::kHalfReset, Fault::kSilence}) {
    ScriptedHttpServer server(Always({.status = 200, .body = "{\"whole\": true}", .headers = {}, .fault = fault}));
    HttpClient client({.user_agent = "", .request_timeout = milliseconds(300), .ca_file = ""});
    for (const std::string method : {"POST", "GET"}) {
      const Error error = ErrorOf(
          client.Send({.method = method, .url = server.url() + "/v1/t", .headers = {}, .body = "", .signing = {}}));
      EXPECT_EQ(error.kind(), ErrorKind::kCommitUnknown) << static_cast<int>(fault) << error.message();
      EXPECT_THAT(error.message(), HasSubstr("/v1/t"));
    }
  }
}

TEST(HttpClient, SendsNoPostTwiceOnAConnectionThatBreaks) {
  std::atomic<int> count = 0;
  ScriptedHttpServer server([&](const ScriptedRequest&) {
    return ++count == 2 ? ScriptedReply{.status = 200, .body = "", .headers = {}, .fault = Fault::kReset}
                        : ScriptedReply{.status = 200, .body = "{}", .headers = {}};
  });
  HttpClient client(Quick());
  ASSERT_TRUE(client.Send({.url = server.url() + "/", .headers = {}, .body = "", .signing = {}}).has_value());
  EXPECT_EQ(
      ErrorOf(client.Send({.method = "POST", .url = server.url() + "/", .headers = {}, .body = "x", .signing = {}}))
          .kind(),
      ErrorKind::kCommitUnknown);
  EXPECT_EQ(server.requests().size(), 2u) << "the POST went out once";
}

TEST(HttpClient, AClosedConnectionIsReplacedUnseen) {
  ScriptedHttpServer server(Always({.status = 200, .body = "{}", .headers = {}, .fault = Fault::kClose}));
  HttpClient client(Quick());
  ASSERT_TRUE(client.Send({.url = server.url() + "/", .headers = {}, .body = "", .signing = {}}).has_value());
  // A GET may be sent again, so it comes through even where the client had not yet seen the end of the connection.
  EXPECT_TRUE(client.Send({.url = server.url() + "/", .headers = {}, .body = "", .signing = {}}).has_value());
}

TEST(HttpClient, TooLargeAnswersEnd) {
  ScriptedHttpServer server(Always({.status = 200, .body = std::string(5000, 'x'), .headers = {}}));
  HttpClient client({.user_agent = "", .ca_file = "", .response_bytes_max = 4999});
  EXPECT_THAT(ErrorOf(client.Send({.url = server.url() + "/", .headers = {}, .body = "", .signing = {}})).message(),
              HasSubstr("4999 bytes"));
}

TEST(HttpClient, SignsWhatItSends) {
  ScriptedHttpServer server(Always({}));
  HttpClient client(Quick());
  ASSERT_TRUE(client
                  .Send({.method = "POST",
                         .url = server.url() + "/v1/a%1Fb",
                         .headers = {{"X-Amz-Target", "AWSGlue.GetTable"}},
                         .body = "{}",
                         .signing = AwsSigning{{"key", "secret", "token"}, "eu-north-1", "glue"}})
                  .has_value());
  const ScriptedRequest seen = server.requests().at(0);
  EXPECT_THAT(seen.header("authorization"),
              AllOf(HasSubstr("Credential=key/"), HasSubstr("/eu-north-1/glue/aws4_request"),
                    HasSubstr("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token;x-amz-target")));
  EXPECT_EQ(seen.header("x-amz-content-sha256"), Sha256Hex("{}"));
  EXPECT_EQ(seen.header("x-amz-security-token"), "token");
  // Signed again with what was sent, the signature is the same: nothing was altered on the way.
  std::tm time{};
  strptime(seen.header("x-amz-date").c_str(), "%Y%m%dT%H%M%SZ", &time);
  const auto again = SignWithAwsV4(
      "POST", server.url() + seen.target,
      {{"X-Amz-Target", seen.header("x-amz-target")}, {"X-Amz-Content-Sha256", seen.header("x-amz-content-sha256")}},
      Sha256Hex(seen.body), {{"key", "secret", "token"}, "eu-north-1", "glue"}, timegm(&time));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->back().second, seen.header("authorization"));
}

TEST(HttpResponse, ReadsRetryAfterInBothForms) {
  const auto retry_after = [](const std::string& value) {
    return HttpResponse{.status = 503, .headers = {{"retry-after", value}}, .body = ""}.RetryAfter();
  };
  EXPECT_EQ(retry_after("7"), milliseconds(7000));
  EXPECT_EQ(retry_after("0"), milliseconds(0));
  EXPECT_EQ(retry_after("99999999999999999999999"), std::chrono::hours(1));
  EXPECT_EQ(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), milliseconds(0));
  EXPECT_EQ(retry_after("Wed, 21 Oct 2099 07:28:00 GMT"), std::chrono::hours(1));
  EXPECT_EQ(retry_after("soon"), std::nullopt);
  EXPECT_EQ((HttpResponse{.status = 503, .headers = {}, .body = ""}.RetryAfter()), std::nullopt);
}

}  // namespace
}  // namespace firn::http
