#include "postgres/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "postgres/fake_server.h"

namespace firn::postgres {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// A port of this machine that nobody listens at.
int ClosedPort() {
  const int probe = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  bind(probe, reinterpret_cast<sockaddr*>(&address), size);
  getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size);
  close(probe);
  return ntohs(address.sin_port);
}

Error OpenError(const ConnectionOptions& options) {
  auto opened = Connection::Open(options);
  EXPECT_FALSE(opened.has_value());
  return opened.has_value() ? Error(ErrorKind::kInternal, "opened") : opened.error();
}

TEST(DescribeUrlTest, NamesHostPortAndDatabase) {
  EXPECT_EQ(DescribeUrl("postgresql://ann:sesame@db.example:5433/shop?sslmode=require"), "db.example:5433/shop");
  EXPECT_EQ(DescribeUrl("postgres://ann@db.example/shop"), "db.example:5432/shop");
  EXPECT_EQ(DescribeUrl("host=db.example dbname=shop user=ann password='open sesame'"), "db.example:5432/shop");
  EXPECT_EQ(DescribeUrl("postgresql://ann@db.example"), "db.example:5432/ann");
}

TEST(DescribeUrlTest, SaysNothingOfAMalformedUrl) {
  EXPECT_EQ(DescribeUrl("postgresql://ann:sesame@db:notaport/shop"), "a malformed PostgreSQL URL");
  EXPECT_EQ(DescribeUrl("password=open sesame"), "a malformed PostgreSQL URL");
}

TEST(PasswordOfTest, DecodesEveryForm) {
  EXPECT_EQ(PasswordOf("postgresql://ann:se%40same@db/shop"), "se@same");
  EXPECT_EQ(PasswordOf("postgresql://ann@db/shop?password=sesame"), "sesame");
  EXPECT_EQ(PasswordOf("host=db password='open sesame'"), "open sesame");
  EXPECT_EQ(PasswordOf("postgresql://ann@db/shop"), std::nullopt);
}

TEST(ConnectionTest, NeverPutsAPasswordIntoAMessage) {
  const std::string port = std::to_string(ClosedPort());
  const std::vector<std::string> urls = {
      "postgresql://ann:sesame@127.0.0.1:" + port + "/shop",
      "postgresql://ann:open%40sesame@127.0.0.1:" + port + "/shop",
      "postgresql://ann@127.0.0.1:" + port + "/shop?password=sesame",
      "host=127.0.0.1 port=" + port + " user=ann password=sesame dbname=shop",
      "host=127.0.0.1 port=" + port + " user=ann password='open sesame' dbname=shop",
      // Mistakes that make libpq take a piece of the password for something else.
      "postgresql://ann:open@sesame@127.0.0.1:" + port + "/shop",
      "postgresql://ann:12/sesame@127.0.0.1:" + port + "/shop",
      "postgresql://ann:open/sesame@127.0.0.1:" + port + "/shop",
      "postgresql://ann:open:sesame@127.0.0.1:" + port + "/shop",
      "postgresql://ann:open?sesame@127.0.0.1:" + port + "/shop",
      "postgresql://ann:open#sesame@127.0.0.1:" + port + "/shop",
      "postgresql://ann:open%sesame@127.0.0.1:" + port + "/shop",
      "postgresql://ann:12/a?b=sesame@127.0.0.1:" + port + "/shop",
      "postgresql://ann:sesame@127.0.0.1:notaport/shop",
      "postgresql://ann:sesame@[::1",
      "postgresql:ann:sesame@127.0.0.1/shop",
      "host=127.0.0.1 port=" + port + " password=open sesame",
      "host=127.0.0.1 port=" + port + " password='sesame",
      "host=127.0.0.1 port=" + port + " password=open sesame=x",
      "sesame",
  };
  for (const std::string& url : urls) {
    const Error error = OpenError({.url = url});
    EXPECT_THAT(error.message(), AllOf(Not(HasSubstr("sesame")), Not(HasSubstr("open")))) << url;
    EXPECT_THAT(DescribeUrl(url), AllOf(Not(HasSubstr("sesame")), Not(HasSubstr("open")))) << url;
  }
}

TEST(ConnectionTest, RefusesAMalformedUrlAsConfiguration) {
  const Error error = OpenError({.url = "postgresql://ann:p@ss@db/shop"});
  EXPECT_EQ(error.kind(), ErrorKind::kInvalidConfig);
  EXPECT_THAT(error.message(), HasSubstr("percent-encoded"));
}

TEST(ConnectionTest, SaysThatNobodyListens) {
  const int port = ClosedPort();
  const Error error = OpenError({.url = "postgresql://ann@127.0.0.1:" + std::to_string(port) + "/shop"});
  EXPECT_EQ(error.kind(), ErrorKind::kTransient);
  EXPECT_EQ(error.origin(), ErrorOrigin::kSource);
  EXPECT_THAT(error.message(), AllOf(HasSubstr("cannot reach PostgreSQL at 127.0.0.1:" + std::to_string(port)),
                                     HasSubstr("check source.url"), Not(HasSubstr("\n"))));
}

struct Refusal {
  const char* sqlstate;
  const char* message;
  bool replication;
  ErrorKind kind;
  const char* remedy;
};

TEST(ConnectionTest, ExplainsWhyTheServerRefuses) {
  const Refusal refusals[] = {
      {"28P01", "password authentication failed", false, ErrorKind::kPermission, "~/.pgpass"},
      {"28000", "no pg_hba.conf entry for host", false, ErrorKind::kPermission, "pg_hba.conf on the server"},
      {"3D000", "database \"shop\" does not exist", false, ErrorKind::kInvalidConfig, "check the database name"},
      {"42501", "must be superuser or replication role", true, ErrorKind::kPermission,
       "ALTER ROLE \"ann\" REPLICATION"},
      {"53300", "too many clients already", false, ErrorKind::kTransient, "max_connections"},
      {"57P03", "the database system is starting up", false, ErrorKind::kTransient, "starting up"},
  };
  for (const Refusal& refusal : refusals) {
    FakeServer server({.refusal = ErrorResponse(refusal.sqlstate, refusal.message, "FATAL")});
    const Error error = OpenError({.url = server.Url(), .replication = refusal.replication});
    EXPECT_EQ(error.kind(), refusal.kind) << refusal.sqlstate;
    EXPECT_EQ(error.native_code(), refusal.sqlstate);
    EXPECT_THAT(error.message(), AllOf(HasSubstr(refusal.message), HasSubstr(refusal.remedy), HasSubstr("127.0.0.1:"),
                                       Not(HasSubstr("sesame"))));
  }
}

TEST(ConnectionTest, AsksForAPasswordWhereTheServerWantsOne) {
  FakeServer server({.refusal = Message('R', Int32(3))});  // AuthenticationCleartextPassword
  const Error error = OpenError({.url = "host=127.0.0.1 user=ann sslmode=disable gssencmode=disable "
                                        "passfile=/nowhere port=" +
                                        std::to_string(server.port())});
  EXPECT_EQ(error.kind(), ErrorKind::kPermission);
  EXPECT_THAT(error.message(), HasSubstr("role \"ann\" needs a password"));
}

TEST(ConnectionTest, GivesUpOnASilentServer) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  bind(listener, reinterpret_cast<sockaddr*>(&address), size);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  listen(listener, 1);
  const Error error =
      OpenError({.url = "host=127.0.0.1 connect_timeout=1 port=" + std::to_string(ntohs(address.sin_port)),
                 .connect_timeout = std::chrono::hours(1)});
  EXPECT_EQ(error.kind(), ErrorKind::kTransient);
  EXPECT_THAT(error.message(), HasSubstr("no answer within 1 s"));
  close(listener);
}

TEST(ConnectionTest, RefusesOldServers) {
  FakeServer server({.version = "11.22"});
  const Error error = OpenError({.url = server.Url()});
  EXPECT_EQ(error.kind(), ErrorKind::kUnsupported);
  EXPECT_THAT(error.message(), HasSubstr("version 11"));
}

TEST(ConnectionTest, TellsTheServerWhoItIsAndKeepsTheUsersOptions) {
  FakeServer server({});
  {
    const auto opened = Connection::Open({.url = server.Url() + "&options=-c%20work_mem%3D64MB", .replication = true});
    ASSERT_TRUE(opened.has_value()) << opened.error().message();
    EXPECT_EQ(opened->server_version(), 150004);
    EXPECT_EQ(opened->user(), "ann");
    EXPECT_EQ(opened->database(), "shop");
  }
  server.Join();
  const auto pair = [](std::string_view key, std::string_view value) {
    return std::string(key) + '\0' + std::string(value) + '\0';
  };
  EXPECT_THAT(server.startup(),
              AllOf(HasSubstr(pair("application_name", "firn")), HasSubstr(pair("client_encoding", "UTF8")),
                    HasSubstr(pair("replication", "database")), HasSubstr("-c work_mem=64MB")));
  ASSERT_EQ(server.queries().size(), 1u);
  EXPECT_THAT(server.queries()[0], AllOf(HasSubstr("datestyle = 'ISO, YMD'"), HasSubstr("timezone = 'UTC'"),
                                         HasSubstr("row_security = off"), HasSubstr("idle_session_timeout = 0")));
}

TEST(ConnectionTest, LetsTheUrlNameTheApplication) {
  FakeServer server({});
  {
    ASSERT_TRUE(Connection::Open({.url = server.Url() + "&application_name=mine"}).has_value());
  }
  server.Join();
  EXPECT_THAT(server.startup(), AllOf(HasSubstr("mine"), Not(HasSubstr("firn"))));
}

TEST(ConnectionTest, ReadsRowsAndErrors) {
  FakeServer server({.answers = {{"SELECT 1", Rows({{"1", "x"}, {"2", ""}})},
                                 {"SELECT 2", ErrorResponse("42P01", "relation \"nix\" does not exist")}}});
  auto connection = Connection::Open({.url = server.Url()});
  ASSERT_TRUE(connection.has_value()) << connection.error().message();
  const auto rows = connection->Query("SELECT 1");
  ASSERT_TRUE(rows.has_value());
  EXPECT_EQ(rows->rows(), 2);
  EXPECT_EQ(rows->columns(), 2);
  EXPECT_EQ(rows->Get(0, 1), "x");
  EXPECT_FALSE(rows->IsNull(1, 1));
  const auto failed = connection->Query("SELECT 2");
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().kind(), ErrorKind::kTableNotFound);
  EXPECT_EQ(failed.error().native_code(), "42P01");
}

TEST(ConnectionTest, CallsABrokenConnectionTransient) {
  FakeServer server({.answers = {{"SELECT 1", ErrorResponse("57P01", "terminating connection", "FATAL")}}});
  auto connection = Connection::Open({.url = server.Url()});
  ASSERT_TRUE(connection.has_value()) << connection.error().message();
  EXPECT_EQ(connection->Query("SELECT 1").error().kind(), ErrorKind::kTransient);
}

TEST(QuoteTest, DoublesQuotes) {
  EXPECT_EQ(QuoteIdentifier("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(QuoteLiteral("it's \\ here"), "'it''s \\ here'");
}

}  // namespace
}  // namespace firn::postgres
