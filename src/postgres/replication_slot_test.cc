#include "postgres/replication_slot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "postgres/fake_server.h"

namespace firn::postgres {
namespace {

using testing::Contains;
using testing::HasSubstr;

/// CreateSlot against a server that answers `answer`.
Result<CreatedSlot> CreateAt(FakeServer& server, bool temporary = false, bool failover = false) {
  auto connection = Connection::Open({.url = server.Url(), .replication = true});
  if (!connection.has_value()) return connection.error();
  return CreateSlot(*connection, "firn", temporary, failover);
}

FakeServer::Script Answer(std::string answer, std::string version = "15.4") {
  return {.version = std::move(version),
          .answers = {{"CREATE_REPLICATION_SLOT", std::move(answer)},
                      {"SHOW wal_level", Rows({{"replica"}})},
                      {"SELECT pg_is_in_recovery()", Rows({{"f"}})}}};
}

TEST(CheckSlotNameTest, KnowsPostgresqlsRule) {
  EXPECT_TRUE(CheckSlotName("firn_1").has_value());
  EXPECT_TRUE(CheckSlotName(std::string(63, 'a')).has_value());
  for (const std::string& name :
       {std::string(), std::string("Firn"), std::string("a-b"), std::string("a\"b"), std::string(64, 'a')}) {
    const Status status = CheckSlotName(name);
    ASSERT_FALSE(status.has_value()) << name;
    EXPECT_EQ(status.error().kind(), ErrorKind::kInvalidConfig);
  }
}

TEST(CreateSlotTest, GivesConsistentPointAndSnapshot) {
  FakeServer server(Answer(Rows({{"firn", "0/395D6268", "00000004-00000007-1", "pgoutput"}})));
  const auto slot = CreateAt(server);
  ASSERT_TRUE(slot.has_value()) << slot.error().message();
  EXPECT_EQ(ToString(slot->consistent_point), "0/395D6268");
  EXPECT_EQ(slot->snapshot_name, "00000004-00000007-1");
  server.Join();
  EXPECT_THAT(server.queries(), Contains("CREATE_REPLICATION_SLOT \"firn\" LOGICAL pgoutput (SNAPSHOT 'export')"));
}

TEST(CreateSlotTest, SpeaksTheOlderGrammarBefore15) {
  FakeServer server(Answer(Rows({{"firn", "0/1", "s", "pgoutput"}}), "14.9"));
  ASSERT_TRUE(CreateAt(server, /*temporary=*/true).has_value());
  server.Join();
  EXPECT_THAT(server.queries(),
              Contains("CREATE_REPLICATION_SLOT \"firn\" TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT"));
}

TEST(CreateSlotTest, AsksForFailoverWhereTheServerKnowsIt) {
  const auto sql = [](std::string version, bool temporary) {
    FakeServer server(Answer(Rows({{"firn", "0/1", "s", "pgoutput"}}), std::move(version)));
    EXPECT_TRUE(CreateAt(server, temporary, /*failover=*/true).has_value());
    server.Join();
    return server.queries().back();
  };
  EXPECT_THAT(sql("17.0", false), HasSubstr("(SNAPSHOT 'export', FAILOVER true)"));
  EXPECT_THAT(sql("17.0", true), testing::Not(HasSubstr("FAILOVER")));
  EXPECT_THAT(sql("16.4", false), testing::Not(HasSubstr("FAILOVER")));
}

TEST(CreateSlotTest, AsksForNoFailoverOnAStandby) {
  FakeServer::Script script = Answer(Rows({{"firn", "0/1", "s", "pgoutput"}}), "18.0");
  script.answers.back() = {"SELECT pg_is_in_recovery()", Rows({{"t"}})};
  FakeServer server(std::move(script));
  ASSERT_TRUE(CreateAt(server, /*temporary=*/false, /*failover=*/true).has_value());
  server.Join();
  EXPECT_THAT(server.queries().back(), testing::Not(HasSubstr("FAILOVER")));
}

TEST(CreateSlotTest, ExplainsWalLevel) {
  FakeServer server(Answer(ErrorResponse("55000", "logical decoding requires wal_level >= logical")));
  const auto slot = CreateAt(server);
  ASSERT_FALSE(slot.has_value());
  EXPECT_EQ(slot.error().kind(), ErrorKind::kInvalidConfig);
  EXPECT_THAT(slot.error().message(), HasSubstr("wal_level is 'replica'; set wal_level = logical"));
}

TEST(CreateSlotTest, SaysWhatToDoWhereSlotsOrRightsLack) {
  const std::tuple<const char*, ErrorKind, const char*> cases[] = {
      {"53400", ErrorKind::kTransient, "raise max_replication_slots"},
      {"42501", ErrorKind::kPermission, "ALTER ROLE \"ann\" REPLICATION"},
      {"42710", ErrorKind::kAlreadyExists, "refused"},
  };
  for (const auto& [sqlstate, kind, remedy] : cases) {
    FakeServer server(Answer(ErrorResponse(sqlstate, "refused")));
    const auto slot = CreateAt(server);
    ASSERT_FALSE(slot.has_value());
    EXPECT_EQ(slot.error().kind(), kind) << sqlstate;
    EXPECT_THAT(slot.error().message(), HasSubstr(remedy));
  }
}

TEST(ReadSlotTest, ReadsEveryField) {
  FakeServer server({.answers = {{"SELECT slot_name",
                                  Rows({{"firn", "pgoutput", "shop", "t", "4711", "reserved", "0/20", "0/10"}})}}});
  auto connection = Connection::Open({.url = server.Url()});
  ASSERT_TRUE(connection.has_value());
  const auto slot = ReadSlot(*connection, "firn");
  ASSERT_TRUE(slot.has_value() && slot->has_value());
  EXPECT_EQ((*slot)->plugin, "pgoutput");
  EXPECT_EQ((*slot)->database, "shop");
  EXPECT_TRUE((*slot)->active);
  EXPECT_EQ((*slot)->active_pid, 4711);
  EXPECT_EQ((*slot)->wal_status, "reserved");
  EXPECT_EQ((*slot)->confirmed_flush_lsn.value, 0x20u);
  EXPECT_EQ((*slot)->restart_lsn.value, 0x10u);
}

TEST(ReadSlotTest, FindsNone) {
  FakeServer server({.answers = {{"SELECT slot_name", Rows({}, 8)}}});
  auto connection = Connection::Open({.url = server.Url()});
  ASSERT_TRUE(connection.has_value());
  const auto slot = ReadSlot(*connection, "firn");
  ASSERT_TRUE(slot.has_value());
  EXPECT_FALSE(slot->has_value());
}

TEST(DropSlotTest, IsContentWhereThereIsNone) {
  FakeServer server(
      {.answers = {{"SELECT pg_drop", ErrorResponse("42704", "replication slot \"firn\" does not exist")}}});
  auto connection = Connection::Open({.url = server.Url()});
  ASSERT_TRUE(connection.has_value());
  EXPECT_TRUE(DropSlot(*connection, "firn").has_value());
}

TEST(DropSlotTest, CallsASlotInUseTransient) {
  FakeServer server(
      {.answers = {{"SELECT pg_drop", ErrorResponse("55006", "replication slot \"firn\" is active for PID 7")}}});
  auto connection = Connection::Open({.url = server.Url()});
  ASSERT_TRUE(connection.has_value());
  const Status dropped = DropSlot(*connection, "firn");
  ASSERT_FALSE(dropped.has_value());
  EXPECT_EQ(dropped.error().kind(), ErrorKind::kTransient);
}

}  // namespace
}  // namespace firn::postgres
