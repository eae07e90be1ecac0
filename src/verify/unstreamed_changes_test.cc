#include "verify/unstreamed_changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "testing/pgoutput_messages.h"

namespace firn::verify {
namespace {

using firn::testing::pgoutput::Begin;
using firn::testing::pgoutput::Commit;
using firn::testing::pgoutput::Truncate;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// Gives messages, and then says that nothing more comes before 100.
class ScriptedStream final : public postgres::ReplicationStream {
 public:
  explicit ScriptedStream(std::vector<std::string> messages) : messages_(std::move(messages)) {}

  Result<std::optional<postgres::XLogData>> Next(milliseconds) override {
    if (given_ == messages_.size()) {
      received_ = Lsn{100};
      return std::nullopt;
    }
    return postgres::XLogData{.payload = messages_[given_++]};
  }
  Status KeepAlive(milliseconds) override { return {}; }
  void SetAcknowledged(Lsn) override { ADD_FAILURE() << "the pipeline's changes are not this stream's to acknowledge"; }
  Status SendStatus() override { return {}; }
  Lsn received() const override { return received_; }
  Lsn server_end() const override { return received_; }
  int64_t bytes_received() const override { return 0; }
  Status Close() override { return {}; }

  size_t given() const { return given_; }

 private:
  const std::vector<std::string> messages_;
  size_t given_ = 0;
  Lsn received_;
};

std::string Insert(uint32_t oid) { return firn::testing::pgoutput::Insert(oid, {{'t', "1"}}); }
std::string Update(uint32_t oid) { return firn::testing::pgoutput::Update(oid, {{'t', "1"}}); }
std::string Delete(uint32_t oid) { return firn::testing::pgoutput::Delete(oid, 'K', {{'t', "1"}}); }

class UnstreamedChangesTest : public ::testing::Test {
 protected:
  /// Which of the tables have changed; up to 100.
  std::vector<bool> Find(ScriptedStream& stream, std::vector<UnstreamedTable> tables) {
    const Status status = FindUnstreamed(stream, tables, Lsn{100}, deadline_, stop_.get_token());
    EXPECT_TRUE(status.has_value()) << status.error().message();
    std::vector<bool> changed;
    for (const UnstreamedTable& table : tables) changed.push_back(table.has_changed);
    return changed;
  }

  steady_clock::time_point deadline_ = steady_clock::now() + std::chrono::minutes(1);
  std::stop_source stop_;
};

TEST_F(UnstreamedChangesTest, FindsChangesOfEachKind) {
  ScriptedStream stream({Begin(10, 1), Insert(1), Update(2), Delete(3), Truncate({4, 5}), Commit(10, 20)});
  EXPECT_THAT(Find(stream, {{.oid = {1}}, {.oid = {2}}, {.oid = {3}}, {.oid = {5}}, {.oid = {6}}}),
              ::testing::ElementsAre(true, true, true, true, false));
}

TEST_F(UnstreamedChangesTest, LeavesOutWhatATableHoldsAndWhatTheSnapshotDoesNotSee) {
  ScriptedStream stream(
      {Begin(10, 1), Insert(1), Insert(2), Commit(10, 20), Begin(100, 2), Insert(1), Commit(100, 110)});
  EXPECT_THAT(Find(stream, {{.oid = {1}, .since = {11}}, {.oid = {2}, .since = {10}}}),
              ::testing::ElementsAre(false, true));
}

TEST_F(UnstreamedChangesTest, ReadsNoFurtherThanItMust) {
  ScriptedStream stream({Begin(10, 1), Insert(1), Insert(7), Insert(7), Commit(10, 20), Begin(30, 2)});
  EXPECT_THAT(Find(stream, {{.oid = {1}}}), ::testing::ElementsAre(true));
  EXPECT_EQ(stream.given(), 3U);  // The message behind it is there before it is known that none is wanted.
}

TEST_F(UnstreamedChangesTest, EndsInALargeTransactionWhenItTakesTooLong) {
  ScriptedStream stream({Begin(10, 1), Insert(7), Insert(7)});
  std::vector<UnstreamedTable> tables{{.oid = {1}}};
  const Status status = FindUnstreamed(stream, tables, Lsn{100}, steady_clock::now(), stop_.get_token());
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().kind(), ErrorKind::kTransient);
}

TEST_F(UnstreamedChangesTest, StopsOnRequest) {
  stop_.request_stop();
  ScriptedStream stream({Begin(10, 1), Insert(7)});
  std::vector<UnstreamedTable> tables{{.oid = {1}}};
  const Status status = FindUnstreamed(stream, tables, Lsn{100}, deadline_, stop_.get_token());
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().kind(), ErrorKind::kCancelled);
}

}  // namespace
}  // namespace firn::verify
