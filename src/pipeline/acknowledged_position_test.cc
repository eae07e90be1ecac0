#include "pipeline/acknowledged_position.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "testing/results.h"
#include "testing/temporary_folder.h"

namespace firn::pipeline {
namespace {

using std::chrono::milliseconds;

/// Tells at each acknowledgement what the file says by then.
class FakeStream final : public postgres::ReplicationStream {
 public:
  explicit FakeStream(std::string state_dir, std::vector<std::pair<Lsn, Lsn>>& told)
      : state_dir_(std::move(state_dir)), told_(told) {}
  Result<std::optional<postgres::XLogData>> Next(milliseconds) override { return std::optional<postgres::XLogData>(); }
  Status KeepAlive(milliseconds) override { return {}; }
  void SetAcknowledged(Lsn lsn) override {
    told_.emplace_back(lsn, firn::testing::Value(ReadAcknowledged(state_dir_)).value_or(Lsn{}));
  }
  Status SendStatus() override { return {}; }
  Lsn received() const override { return {}; }
  Lsn server_end() const override { return {}; }
  int64_t bytes_received() const override { return 0; }
  Status Close() override { return {}; }

 private:
  const std::string state_dir_;
  std::vector<std::pair<Lsn, Lsn>>& told_;
};

class AcknowledgedPositionTest : public ::testing::Test {
 protected:
  const firn::testing::TemporaryFolder folder_;
  std::vector<std::pair<Lsn, Lsn>> told_;
};

TEST_F(AcknowledgedPositionTest, IsWrittenBeforeTheSlotIsTold) {
  const auto stream = firn::testing::Value(
      RecordAcknowledged(std::make_unique<FakeStream>(folder_.path(), told_), folder_.path(), Lsn{}));
  EXPECT_EQ(firn::testing::Value(ReadAcknowledged(folder_.path())), std::nullopt);
  stream->SetAcknowledged({5});
  EXPECT_TRUE(told_.empty());
  ASSERT_TRUE(stream->Next(milliseconds(0)));
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0], std::pair(Lsn{5}, Lsn{5}));
}

TEST_F(AcknowledgedPositionTest, TellsTheLastOneAtTheEnd) {
  const auto stream = firn::testing::Value(
      RecordAcknowledged(std::make_unique<FakeStream>(folder_.path(), told_), folder_.path(), Lsn{}));
  for (uint64_t lsn = 1; lsn <= 9; ++lsn) {
    stream->SetAcknowledged({lsn});
    ASSERT_TRUE(stream->KeepAlive(milliseconds(0)));
  }
  ASSERT_TRUE(stream->Close());
  EXPECT_EQ(told_.back(), std::pair(Lsn{9}, Lsn{9}));
}

TEST_F(AcknowledgedPositionTest, HoldsWhereTheSlotIsFromTheBeginning) {
  const auto open = [&](Lsn known) {
    firn::testing::Value(
        RecordAcknowledged(std::make_unique<FakeStream>(folder_.path(), told_), folder_.path(), known));
    return firn::testing::Value(ReadAcknowledged(folder_.path()));
  };
  EXPECT_EQ(open({7}), Lsn{7});
  EXPECT_EQ(open({3}), Lsn{7});
  EXPECT_TRUE(told_.empty());
}

TEST_F(AcknowledgedPositionTest, IsNotTheSlotsWhereItCanNotBeWritten) {
  const auto stream = firn::testing::Value(
      RecordAcknowledged(std::make_unique<FakeStream>(folder_.path(), told_), folder_ / "nowhere", Lsn{}));
  stream->SetAcknowledged({5});
  const Status failed = stream->KeepAlive(milliseconds(0));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind(), ErrorKind::kWriteFailed);
  EXPECT_TRUE(told_.empty());
}

TEST_F(AcknowledgedPositionTest, ADamagedFileIsAnErrorThatNamesIt) {
  std::ofstream(AcknowledgedFile(folder_.path())) << "nonsense\n";
  const auto read = ReadAcknowledged(folder_.path());
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message(), ::testing::HasSubstr(AcknowledgedFile(folder_.path())));
}

}  // namespace
}  // namespace firn::pipeline
