#include "postgres/server_error.h"

#include <gtest/gtest.h>

namespace firn::postgres {
namespace {

TEST(ServerErrorTest, NamesTheRemedyOfASqlState) {
  EXPECT_EQ(KindOfSqlState("08006"), ErrorKind::kTransient);
  EXPECT_EQ(KindOfSqlState("57P01"), ErrorKind::kTransient);
  EXPECT_EQ(KindOfSqlState("40P01"), ErrorKind::kTransient);
  EXPECT_EQ(KindOfSqlState("53300"), ErrorKind::kTransient);
  EXPECT_EQ(KindOfSqlState("53400"), ErrorKind::kTransient);
  EXPECT_EQ(KindOfSqlState("28P01"), ErrorKind::kPermission);
  EXPECT_EQ(KindOfSqlState("42501"), ErrorKind::kPermission);
  EXPECT_EQ(KindOfSqlState("3D000"), ErrorKind::kInvalidConfig);
  EXPECT_EQ(KindOfSqlState("42P01"), ErrorKind::kTableNotFound);
  EXPECT_EQ(KindOfSqlState("42704"), ErrorKind::kNotFound);
  EXPECT_EQ(KindOfSqlState("42710"), ErrorKind::kAlreadyExists);
  EXPECT_EQ(KindOfSqlState("XX001"), ErrorKind::kCorrupt);
  EXPECT_EQ(KindOfSqlState("42601"), ErrorKind::kInternal);
  EXPECT_EQ(KindOfSqlState(""), ErrorKind::kTransient);
}

TEST(ServerErrorTest, PutsMessageDetailAndHintOnOneLine) {
  const Error error =
      ToError({.sqlstate = "55006", .message = "slot is\nactive", .detail = "by\t12", .hint = " stop it\n"});
  EXPECT_EQ(error.message(), "slot is active: by 12; stop it");
  EXPECT_EQ(error.native_code(), "55006");
  EXPECT_EQ(error.origin(), ErrorOrigin::kSource);
}

TEST(ServerErrorTest, LeavesThePeriodOfAHintToWhoAddsARemedy) {
  EXPECT_EQ(ToError({.sqlstate = "53400", .message = "all slots are in use", .hint = "Free one."}).message(),
            "all slots are in use; Free one");
}

TEST(ServerErrorTest, FindsTheSqlStateOfAFailedConnection) {
  const ServerError error = ParseConnectFailure(
      "connection to server at \"h\" (10.0.0.1), port 5432 failed: FATAL:  28P01: password authentication failed for "
      "user "
      "\"u\"\nLOCATION:  auth_failed, auth.c:335\n");
  EXPECT_EQ(error.sqlstate, "28P01");
  EXPECT_EQ(error.message, "password authentication failed for user \"u\"");
}

TEST(ServerErrorTest, FindsTheSqlStateInAnyLanguage) {
  EXPECT_EQ(ParseConnectFailure("… FATAL:  3D000: Datenbank »x« existiert nicht\nLOCATION:  InitPostgres").sqlstate,
            "3D000");
  EXPECT_EQ(ParseConnectFailure("… ВАЖНО:  3D000: база данных \"x\" не существует\n").sqlstate, "3D000");
}

TEST(ServerErrorTest, TakesTheLastOfManyAttempts) {
  EXPECT_EQ(
      ParseConnectFailure("a: FATAL:  28000: no entry, SSL on\nLOCATION:  x\nb: FATAL:  57P03: starting up\n").sqlstate,
      "57P03");
}

TEST(ServerErrorTest, HasNoSqlStateWhereTheServerSaidNothing) {
  const ServerError error = ParseConnectFailure(
      "connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n\tIs the server running on that host "
      "and "
      "accepting TCP/IP connections?\n");
  EXPECT_EQ(error.sqlstate, "");
  EXPECT_EQ(error.message, "connection to server at \"127.0.0.1\", port 1 failed: Connection refused");
}

}  // namespace
}  // namespace firn::postgres
