#include "pipeline/parked_tables.h"

#include <gtest/gtest.h>

namespace firn::pipeline {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

const SourceTable kTable{.oid = {7}, .name = {"public", "t"}, .version = {.fingerprint = "one"}};
const Error kValue = MakeError(ErrorKind::kUnsupported, "a value");
const Error kNetwork = MakeError(ErrorKind::kTransient, "the network");

class ParkedTablesTest : public ::testing::Test {
 protected:
  /// From now until it is due.
  milliseconds Pause() const { return std::chrono::duration_cast<milliseconds>(parked_.NextDue().value() - now_); }

  ParkedTables parked_{RetryPolicy{.max_retries = 2, .base_delay = milliseconds(10), .max_delay = milliseconds(1000)}};
  ParkedTables::TimePoint now_;
};

TEST_F(ParkedTablesTest, WaitsLongerEachTimeAndAnHourAtMost) {
  parked_.Failed(kTable, kValue, now_);
  ASSERT_NE(parked_.Waiting(kTable, now_), nullptr);
  EXPECT_TRUE(parked_.Waiting(kTable, now_)->is_parked);
  EXPECT_EQ(Pause(), milliseconds(500));
  for (int i = 0; i < 20; ++i) {
    now_ += Pause();
    EXPECT_EQ(parked_.Waiting(kTable, now_), nullptr);
    parked_.Begin(kTable.oid, now_);
    const milliseconds before = milliseconds(500) * (1 << std::min(i, 12));
    parked_.Failed(kTable, kValue, now_);
    EXPECT_GE(Pause(), std::min<milliseconds>(before, minutes(60)));
  }
  EXPECT_EQ(Pause(), minutes(60));
}

TEST_F(ParkedTablesTest, IsTriedAtOnceWithAnotherDefinition) {
  parked_.Failed(kTable, kValue, now_);
  SourceTable altered = kTable;
  altered.version.fingerprint = "two";
  EXPECT_EQ(parked_.Waiting(altered, now_), nullptr);
  EXPECT_NE(parked_.Waiting(kTable, now_), nullptr);
}

TEST_F(ParkedTablesTest, ParksWhatMayPassOnceItHasNotPassedForLong) {
  for (int i = 0; i < 2; ++i) {
    parked_.Failed(kTable, kNetwork, now_);
    EXPECT_FALSE(parked_.Waiting(kTable, now_)->is_parked);
    EXPECT_TRUE(parked_.HasPassing());
    now_ += Pause();
    parked_.Begin(kTable.oid, now_);
    EXPECT_FALSE(parked_.HasPassing());
  }
  parked_.Failed(kTable, kNetwork, now_);
  EXPECT_TRUE(parked_.Waiting(kTable, now_)->is_parked);
  EXPECT_FALSE(parked_.HasPassing());
}

TEST_F(ParkedTablesTest, WaitsAsLongAsATryTook) {
  parked_.Failed(kTable, kValue, now_);
  now_ += Pause();
  parked_.Begin(kTable.oid, now_);
  now_ += minutes(30);
  parked_.Failed(kTable, kValue, now_);
  EXPECT_EQ(Pause(), minutes(30));
}

TEST_F(ParkedTablesTest, BeginsAnewForATableThatStreamedForLong) {
  for (int i = 0; i < 5; ++i) {
    parked_.Failed(kTable, kValue, now_);
    now_ += Pause();
    parked_.Begin(kTable.oid, now_);
  }
  parked_.Streams(kTable.oid, now_);
  now_ += minutes(1) / 2;
  parked_.Failed(kTable, kValue, now_);
  EXPECT_EQ(Pause(), milliseconds(16'000));
  now_ += Pause();
  parked_.Begin(kTable.oid, now_);
  parked_.Streams(kTable.oid, now_);
  now_ += minutes(2);
  parked_.Streams(kTable.oid, now_);
  parked_.Failed(kTable, kValue, now_);
  EXPECT_EQ(Pause(), milliseconds(500));
}

TEST_F(ParkedTablesTest, ForgetsTablesThatAreGone) {
  parked_.Failed(kTable, kValue, now_);
  parked_.Keep({kTable});
  EXPECT_TRUE(parked_.NextDue().has_value());
  parked_.Keep({});
  EXPECT_FALSE(parked_.NextDue().has_value());
}

TEST(IsTableError, LeavesFailuresOfTheWholeAlone) {
  EXPECT_TRUE(IsTableError(kValue));
  EXPECT_TRUE(IsTableError(MakeError(ErrorKind::kPermission, ErrorOrigin::kSource, "no SELECT")));
  EXPECT_FALSE(IsTableError(MakeError(ErrorKind::kPermission, ErrorOrigin::kCatalog, "no token")));
  EXPECT_FALSE(IsTableError(kNetwork));
  EXPECT_FALSE(IsTableError(MakeError(ErrorKind::kWriteFailed, ErrorOrigin::kStorage, "disk full")));
  EXPECT_FALSE(IsTableError(MakeError(ErrorKind::kInternal, "a bug")));
}

}  // namespace
}  // namespace firn::pipeline
