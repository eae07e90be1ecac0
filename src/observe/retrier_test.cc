#include "observe/retrier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace firn {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

Error Transient() { return {ErrorKind::kTransient, "connection reset", ErrorOrigin::kStorage}; }

/// Fails so often, then goes well.
struct Flaky {
  int failures;
  int calls = 0;
  Result<int> operator()() {
    ++calls;
    if (calls <= failures) return Transient();
    return 7;
  }
};

class RetrierTest : public ::testing::Test {
 protected:
  Metrics metrics_;
  std::stop_source stop_;
  const RetryPolicy fast_{.max_retries = 3, .base_delay = milliseconds(1), .max_delay = milliseconds(2)};
};

TEST_F(RetrierTest, CallsAgainUntilItGoesWell) {
  Retrier retrier(fast_, metrics_, stop_.get_token());
  Flaky flaky{.failures = 3};
  EXPECT_EQ(retrier.Run("store_read", "s3://b/x", flaky).value(), 7);
  EXPECT_EQ(flaky.calls, 4);
  EXPECT_THAT(metrics_.Expose(), HasSubstr("firn_retries_total{what=\"store_read\"} 3"));
}

TEST_F(RetrierTest, GivesUpAfterThePolicysRetries) {
  Retrier retrier(fast_, metrics_, stop_.get_token());
  Flaky flaky{.failures = 100};
  const auto result = retrier.Run("store_read", "s3://b/x", flaky);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind(), ErrorKind::kWriteFailed);
  EXPECT_EQ(result.error().origin(), ErrorOrigin::kStorage);
  EXPECT_EQ(result.error().message(), "given up after 3 retries: connection reset");
  EXPECT_EQ(flaky.calls, 4);
}

TEST_F(RetrierTest, LeavesAloneWhatWillNotPass) {
  Retrier retrier(fast_, metrics_, stop_.get_token());
  int calls = 0;
  const auto denied = [&]() -> Status {
    ++calls;
    return Error(ErrorKind::kPermission, "access denied");
  };
  EXPECT_EQ(retrier.Run("store_write", "s3://b/x", denied).error().kind(), ErrorKind::kPermission);
  EXPECT_EQ(calls, 1);
}

TEST_F(RetrierTest, WaitsAsLongAsTheServerAsks) {
  Retrier retrier(fast_, metrics_, stop_.get_token());
  int calls = 0;
  const auto throttled = [&]() -> Result<int> {
    if (++calls == 1) return Transient().WithRetryAfter(milliseconds(60));
    return calls;
  };
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(retrier.Run("catalog_load", "shop.orders", throttled).value(), 2);
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(60));
}

TEST_F(RetrierTest, StopsWaitingWhenAskedTo) {
  const RetryPolicy slow{.max_retries = 3, .base_delay = milliseconds(60'000), .max_delay = milliseconds(60'000)};
  Retrier retrier(slow, metrics_, stop_.get_token());
  Flaky flaky{.failures = 100};
  const auto start = std::chrono::steady_clock::now();
  const std::jthread stopper([&] { stop_.request_stop(); });
  const auto result = retrier.Run("store_read", "s3://b/x", flaky);
  EXPECT_EQ(result.error().kind(), ErrorKind::kCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(30'000));
}

TEST_F(RetrierTest, NoRetriesLeaveTheErrorAsItIs) {
  Retrier retrier({.max_retries = 0}, metrics_, stop_.get_token());
  Flaky flaky{.failures = 1};
  EXPECT_EQ(retrier.Run("store_read", "s3://b/x", flaky).error().kind(), ErrorKind::kTransient);
}

TEST(RetryPolicyTest, DelaysDoubleUpToTheLongest) {
  const RetryPolicy policy{.max_retries = 4, .base_delay = milliseconds(100), .max_delay = milliseconds(500)};
  EXPECT_EQ(policy.TotalDelay(), milliseconds(100 + 200 + 400 + 500));
  std::mt19937 random(1);
  for (int retry = 0; retry < 40; ++retry) {
    const milliseconds longest(std::min(100 << std::min(retry, 10), 500));
    const milliseconds delay = policy.Delay(retry, random);
    EXPECT_GE(delay, longest / 2);
    EXPECT_LE(delay, longest);
  }
  EXPECT_EQ(policy.Delay(Transient().WithRetryAfter(milliseconds(86'400'000)), 0, random), milliseconds(300'000));
}

}  // namespace
}  // namespace firn
