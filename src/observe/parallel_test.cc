#include "observe/parallel.h"

#include <gtest/gtest.h>

#include <barrier>
#include <mutex>
#include <set>

namespace firn {
namespace {

TEST(ForEachParallel, DoesEachOnce) {
  for (const int threads : {0, 1, 3, 100}) {
    std::mutex mutex;
    std::multiset<size_t> done;
    EXPECT_TRUE(ForEachParallel(50, threads, [&](size_t i) -> Status {
      std::lock_guard lock(mutex);
      done.insert(i);
      return {};
    }));
    EXPECT_EQ(done.size(), 50u);
    EXPECT_EQ(std::set<size_t>(done.begin(), done.end()).size(), 50u);
  }
  EXPECT_TRUE(ForEachParallel(0, 4, [](size_t) -> Status { return MakeError(ErrorKind::kInternal, "called"); }));
}

TEST(ForEachParallel, WorksAtTheSameTime) {
  std::barrier all_there(4);  // None goes on before four are there.
  EXPECT_TRUE(ForEachParallel(8, 4, [&](size_t) -> Status {
    all_there.arrive_and_wait();
    return {};
  }));
}

TEST(ForEachParallel, GivesTheFirstErrorAndBeginsNothingAfterIt) {
  std::barrier both_there(2);
  std::atomic<size_t> begun = 0;
  const Status status = ForEachParallel(100, 2, [&](size_t i) -> Status {
    ++begun;
    both_there.arrive_and_wait();  // Both fail.
    return MakeError(ErrorKind::kTransient, "number {}", i);
  });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message(), "number 0");
  EXPECT_EQ(begun, 2u);
}

TEST(ForEachParallel, OnOneThreadKeepsToTheOrder) {
  std::vector<size_t> done;
  EXPECT_FALSE(ForEachParallel(10, 1, [&](size_t i) -> Status {
    done.push_back(i);
    if (i == 3) return MakeError(ErrorKind::kTransient, "no");
    return {};
  }));
  EXPECT_EQ(done, (std::vector<size_t>{0, 1, 2, 3}));
}

}  // namespace
}  // namespace firn
