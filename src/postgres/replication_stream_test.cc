#include "postgres/replication_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "postgres/fake_server.h"

namespace firn::postgres {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;

const std::vector<std::string> kGoodSlot = {"firn", "pgoutput", "shop", "f", "0", "reserved", "0/10", "0/8"};

std::string XLog(uint64_t start, std::string_view payload) {
  return CopyData("w" + Int64(start) + Int64(start) + Int64(7) + std::string(payload));
}
std::string Keepalive(uint64_t end, bool reply) {
  return CopyData("k" + Int64(end) + Int64(7) + std::string(1, reply ? '\1' : '\0'));
}

struct Update {
  uint64_t written, flushed, applied;
};
uint64_t NumberAt(const std::string& bytes, size_t offset) {
  uint64_t number = 0;
  for (size_t i = 0; i < 8; ++i) number = number << 8 | static_cast<unsigned char>(bytes[offset + i]);
  return number;
}
/// The client's next status update.
Update ReadUpdate(FakeSession& session) {
  const std::string body = session.ReadCopyData();
  EXPECT_TRUE(body.size() == 34 && body[0] == 'r') << body.size();
  if (body.size() != 34) return {};
  return {NumberAt(body, 1), NumberAt(body, 9), NumberAt(body, 17)};
}

FakeServer::Script Streaming(std::function<void(FakeSession&)> stream, std::string timeout_ms = "60000") {
  return {.answers = {{"SELECT slot_name", Rows({kGoodSlot})}, {"SELECT setting", Rows({{std::move(timeout_ms)}})}},
          .stream = std::move(stream)};
}

StreamOptions OptionsFor(const FakeServer& server) {
  return {.connection = {.url = server.Url()}, .slot = "firn", .publications = {"firn", "it's \"x\""}, .start = {0x10}};
}

TEST(ReplicationStreamTest, GivesMessagesAndPositions) {
  FakeServer server(Streaming([](FakeSession& session) {
    ReadUpdate(session);
    session.Send(XLog(0x20, "one") + XLog(0, "two") + Keepalive(0x40, false));
    while (!session.ReadCopyData().empty()) continue;
  }));
  auto stream = ReplicationStream::Open(OptionsFor(server));
  ASSERT_TRUE(stream.has_value()) << stream.error().message();
  EXPECT_EQ((*stream)->received().value, 0x10u);
  auto data = (*stream)->Next(seconds(10));
  ASSERT_TRUE(data.has_value() && data->has_value());
  EXPECT_EQ((*data)->payload, "one");
  EXPECT_EQ((*data)->start.value, 0x20u);
  EXPECT_EQ((*data)->sent_at_us, 7);
  data = (*stream)->Next(seconds(10));
  ASSERT_TRUE(data.has_value() && data->has_value());
  EXPECT_EQ((*data)->payload, "two");
  EXPECT_EQ((*stream)->received().value, 0x20u);
  data = (*stream)->Next(milliseconds(50));
  ASSERT_TRUE(data.has_value());
  EXPECT_FALSE(data->has_value());
  EXPECT_EQ((*stream)->received().value, 0x40u);
  EXPECT_EQ((*stream)->server_end().value, 0x40u);
  EXPECT_EQ((*stream)->bytes_received(), 25 + 3 + 25 + 3 + 18);
}

TEST(ReplicationStreamTest, AsksForWhatTheServerKnows) {
  const auto start_sql = [](const char* version, int protocol) {
    FakeServer::Script script = Streaming([](FakeSession& session) { ReadUpdate(session); });
    script.version = version;
    FakeServer server(script);
    StreamOptions options = OptionsFor(server);
    options.protocol_version = protocol;
    {
      EXPECT_TRUE(ReplicationStream::Open(options).has_value());
    }
    server.Join();
    return server.queries().back();
  };
  EXPECT_EQ(start_sql("15.4", 2),
            "START_REPLICATION SLOT \"firn\" LOGICAL 0/10 (proto_version '2', publication_names "
            "'\"firn\",\"it''s \"\"x\"\"\"', binary 'true', streaming 'on')");
  EXPECT_THAT(start_sql("13.9", 2), AllOf(HasSubstr("proto_version '1'"), testing::Not(HasSubstr("binary"))));
  EXPECT_THAT(start_sql("18.0", 4), AllOf(HasSubstr("proto_version '4'"), HasSubstr("streaming 'parallel'")));
}

TEST(ReplicationStreamTest, AcknowledgesNothingOnItsOwn) {
  std::promise<std::pair<Update, Update>> updates;
  FakeServer server(Streaming([&](FakeSession& session) {
    const Update first = ReadUpdate(session);
    session.Send(XLog(0x90, "x") + Keepalive(0x100, true));
    updates.set_value({first, ReadUpdate(session)});
    while (!session.ReadCopyData().empty()) continue;
  }));
  auto stream = ReplicationStream::Open(OptionsFor(server));
  ASSERT_TRUE(stream.has_value()) << stream.error().message();
  ASSERT_TRUE((*stream)->Next(seconds(10)).has_value());
  ASSERT_TRUE((*stream)->Next(milliseconds(100)).has_value());
  const auto [first, second] = updates.get_future().get();
  EXPECT_EQ(first.written, 0x10u);
  EXPECT_EQ(first.flushed, 0u);
  EXPECT_EQ(second.written, 0x100u);
  EXPECT_EQ(second.flushed, 0u);
  EXPECT_EQ(second.applied, 0u);
}

TEST(ReplicationStreamTest, AcknowledgesOnlyForward) {
  std::promise<Update> update;
  FakeServer server(Streaming([&](FakeSession& session) {
    ReadUpdate(session);
    update.set_value(ReadUpdate(session));
  }));
  auto stream = ReplicationStream::Open(OptionsFor(server));
  ASSERT_TRUE(stream.has_value()) << stream.error().message();
  (*stream)->SetAcknowledged({0x50});
  (*stream)->SetAcknowledged({0x30});
  ASSERT_TRUE((*stream)->SendStatus().has_value());
  const Update sent = update.get_future().get();
  EXPECT_EQ(sent.flushed, 0x50u);
  EXPECT_EQ(sent.applied, 0x50u);
}

TEST(ReplicationStreamTest, KeepsTheServerWaitingWhileTheConsumerStalls) {
  std::promise<void> third_update;
  FakeServer server(Streaming(
      [&](FakeSession& session) {
        ReadUpdate(session);
        session.Send(XLog(0x90, "unread") + Keepalive(0x100, true));
        for (int i = 0; i < 3; ++i) EXPECT_EQ(ReadUpdate(session).written, 0x10u);  // nothing was read on
        third_update.set_value();
        while (!session.ReadCopyData().empty()) continue;
      },
      "150"));
  auto stream = ReplicationStream::Open(OptionsFor(server));
  ASSERT_TRUE(stream.has_value()) << stream.error().message();
  EXPECT_EQ((*stream)->status_interval(), milliseconds(50));
  auto done = third_update.get_future();
  while (done.wait_for(seconds(0)) != std::future_status::ready)
    ASSERT_TRUE((*stream)->KeepAlive(milliseconds(60)).has_value());
  EXPECT_EQ((*stream)->bytes_received(), 0);
  const auto data = (*stream)->Next(seconds(10));
  ASSERT_TRUE(data.has_value() && data->has_value());
  EXPECT_EQ((*data)->payload, "unread");
}

TEST(ReplicationStreamTest, CallsABrokenConnectionTransient) {
  FakeServer server(Streaming([](FakeSession& session) { ReadUpdate(session); }));
  auto stream = ReplicationStream::Open(OptionsFor(server));
  ASSERT_TRUE(stream.has_value()) << stream.error().message();
  const auto data = (*stream)->Next(seconds(10));
  ASSERT_FALSE(data.has_value());
  EXPECT_EQ(data.error().kind(), ErrorKind::kTransient);
}

TEST(ReplicationStreamTest, CallsTheServersShutdownTransient) {
  FakeServer server(Streaming([](FakeSession& session) {
    ReadUpdate(session);
    session.Send(Message('c', "") + Complete("COPY 0"));
    while (!session.ReadCopyData().empty()) continue;
  }));
  auto stream = ReplicationStream::Open(OptionsFor(server));
  ASSERT_TRUE(stream.has_value()) << stream.error().message();
  const auto data = (*stream)->Next(seconds(10));
  ASSERT_FALSE(data.has_value());
  EXPECT_EQ(data.error().kind(), ErrorKind::kTransient);
  EXPECT_THAT(data.error().message(), HasSubstr("ended the replication stream"));
}

TEST(ReplicationStreamTest, ExplainsErrorsInTheStream) {
  const std::tuple<const char*, ErrorKind, const char*> cases[] = {
      {"58P01", ErrorKind::kSourceLost, "on_lost_slot"},
      {"42704", ErrorKind::kNotFound, "publication"},
      {"57P01", ErrorKind::kTransient, "refused"},
  };
  for (const auto& [sqlstate, kind, remedy] : cases) {
    FakeServer server(Streaming([code = sqlstate](FakeSession& session) {
      ReadUpdate(session);
      session.Send(ErrorResponse(code, "refused") + Message('Z', "I"));
      while (!session.ReadCopyData().empty()) continue;
    }));
    auto stream = ReplicationStream::Open(OptionsFor(server));
    ASSERT_TRUE(stream.has_value()) << stream.error().message();
    const auto data = (*stream)->Next(seconds(10));
    ASSERT_FALSE(data.has_value());
    EXPECT_EQ(data.error().kind(), kind) << sqlstate;
    EXPECT_THAT(data.error().message(), HasSubstr(remedy));
  }
}

TEST(ReplicationStreamTest, ClosesAfterALastStatusUpdate) {
  std::promise<Update> update;
  FakeServer server(Streaming([&](FakeSession& session) {
    ReadUpdate(session);
    session.Send(XLog(0x90, "never read"));
    update.set_value(ReadUpdate(session));
    EXPECT_EQ(session.Read().first, 'c');
    session.Send(Message('c', "") + Complete("COPY 0") + Message('Z', "I"));
    session.Read();
  }));
  auto stream = ReplicationStream::Open(OptionsFor(server));
  ASSERT_TRUE(stream.has_value()) << stream.error().message();
  (*stream)->SetAcknowledged({0x50});
  const Status closed = (*stream)->Close();
  EXPECT_TRUE(closed.has_value()) << closed.error().message();
  EXPECT_EQ(update.get_future().get().flushed, 0x50u);
  EXPECT_TRUE((*stream)->Close().has_value());
  EXPECT_FALSE((*stream)->Next(milliseconds(0)).has_value());
}

TEST(ReplicationStreamTest, ExplainsWhyASlotCantBeUsed) {
  const std::tuple<std::vector<std::string>, ErrorKind, const char*> cases[] = {
      {{"firn", "pgoutput", "shop", "t", "4711", "reserved", "0/10", "0/8"}, ErrorKind::kConflict, "process 4711"},
      {{"firn", "pgoutput", "shop", "f", "0", "lost", "0/10", "0/0"}, ErrorKind::kSourceLost, "on_lost_slot"},
      {{"firn", "test_decoding", "shop", "f", "0", "reserved", "0/10", "0/8"},
       ErrorKind::kInvalidConfig,
       "test_decoding"},
      {{"firn", "", "", "f", "0", "reserved", "0/0", "0/8"}, ErrorKind::kInvalidConfig, "physical"},
      {{"firn", "pgoutput", "other", "f", "0", "reserved", "0/10", "0/8"}, ErrorKind::kInvalidConfig, "database other"},
  };
  for (const auto& [row, kind, reason] : cases) {
    FakeServer server({.answers = {{"SELECT slot_name", Rows({row})}}});
    const auto stream = ReplicationStream::Open(OptionsFor(server));
    ASSERT_FALSE(stream.has_value());
    EXPECT_EQ(stream.error().kind(), kind) << reason;
    EXPECT_THAT(stream.error().message(), HasSubstr(reason));
  }
  FakeServer server({.answers = {{"SELECT slot_name", Rows({}, 8)}}});
  const auto stream = ReplicationStream::Open(OptionsFor(server));
  ASSERT_FALSE(stream.has_value());
  EXPECT_EQ(stream.error().kind(), ErrorKind::kSourceLost);
}

TEST(ReplicationStreamTest, ExplainsRacesAtTheStart) {
  const std::tuple<const char*, ErrorKind> cases[] = {
      {"55006", ErrorKind::kConflict}, {"42704", ErrorKind::kSourceLost}, {"55000", ErrorKind::kSourceLost}};
  for (const auto& [sqlstate, kind] : cases) {
    FakeServer::Script script = Streaming(nullptr);
    script.answers.emplace_back("START_REPLICATION", ErrorResponse(sqlstate, "refused"));
    FakeServer server(script);
    const auto stream = ReplicationStream::Open(OptionsFor(server));
    ASSERT_FALSE(stream.has_value());
    EXPECT_EQ(stream.error().kind(), kind) << sqlstate;
  }
}

TEST(ReplicationStreamTest, NeedsAPublication) {
  const auto stream = ReplicationStream::Open({.slot = "firn"});
  ASSERT_FALSE(stream.has_value());
  EXPECT_EQ(stream.error().kind(), ErrorKind::kInvalidConfig);
}

}  // namespace
}  // namespace firn::postgres
