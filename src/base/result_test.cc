#include "firn/result.h"

#include <gtest/gtest.h>

namespace firn {
namespace {

TEST(Error, SaysItsContextOnce) {
  const auto within = [](const std::string& message) {
    return Error(ErrorKind::kUnsupported, message).WithContext("table public.t").message();
  };
  EXPECT_EQ(within("what"), "table public.t: what");
  EXPECT_EQ(within("table public.t: what"), "table public.t: what");
  EXPECT_EQ(within("table public.t, column a: what"), "table public.t, column a: what");
  EXPECT_EQ(within("table public.t has no key"), "table public.t has no key");
  EXPECT_EQ(within("table public.tt: what"), "table public.t: table public.tt: what");
}

}  // namespace
}  // namespace firn
