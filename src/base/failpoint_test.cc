#include "base/failpoint.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <set>

namespace firn {
namespace {

class FailpointTest : public ::testing::Test {
 protected:
  ~FailpointTest() override { (void)ArmFailpoints(""); }
};

TEST_F(FailpointTest, DoesNothingUnlessAsked) {
  ASSERT_TRUE(ArmFailpoints(""));
  EXPECT_TRUE(BeforeStep(Failpoint::kCatalogCommitBefore));
  EXPECT_EQ(BeforeWrite(Failpoint::kSpoolWriteBefore), 0);
}

TEST_F(FailpointTest, FailsOnceAtTheTimeThatWasAskedFor) {
  ASSERT_TRUE(ArmFailpoints("manifest.write.before=error@2,spool.write.before=enospc"));
  EXPECT_TRUE(BeforeStep(Failpoint::kManifestWriteBefore));
  const Status failed = BeforeStep(Failpoint::kManifestWriteBefore);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind(), ErrorKind::kTransient);
  EXPECT_NE(failed.error().message().find("manifest.write.before"), std::string::npos) << failed.error().message();
  EXPECT_TRUE(BeforeStep(Failpoint::kManifestWriteBefore));
  EXPECT_TRUE(BeforeStep(Failpoint::kManifestListWriteBefore));
  EXPECT_EQ(BeforeWrite(Failpoint::kSpoolWriteBefore), ENOSPC);
  EXPECT_EQ(BeforeWrite(Failpoint::kSpoolWriteBefore), 0);
}

TEST_F(FailpointTest, TakesLongFromTheTimeThatWasAskedFor) {
  ASSERT_TRUE(ArmFailpoints("copy.batch.before=slow@2"));
  const auto took = [] {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(BeforeStep(Failpoint::kCopyBatchBefore));
    return std::chrono::steady_clock::now() - start;
  };
  took();
  EXPECT_GE(took(), std::chrono::milliseconds(250));
  EXPECT_GE(took(), std::chrono::milliseconds(250));
}

TEST_F(FailpointTest, EndsTheProcessByKill) {
  EXPECT_EXIT(
      {
        (void)ArmFailpoints("acknowledge.after=kill@2");
        AfterStep(Failpoint::kAcknowledgeAfter);
        AfterStep(Failpoint::kAcknowledgeAfter);
      },
      ::testing::KilledBySignal(SIGKILL), "");
}

TEST_F(FailpointTest, RefusesWhatIsNone) {
  for (const char* wrong : {"nowhere=kill", "flush.before", "flush.before=explode", "flush.before=kill@0",
                            "flush.before=kill@2x", "flush.after=error"}) {
    const Status armed = ArmFailpoints(wrong);
    ASSERT_FALSE(armed) << wrong;
    EXPECT_EQ(armed.error().kind(), ErrorKind::kInvalidConfig);
    EXPECT_NE(armed.error().message().find(wrong), std::string::npos) << armed.error().message();
  }
}

TEST_F(FailpointTest, HasANameForEachOne) {
  EXPECT_EQ(kFailpointNames.size(), static_cast<size_t>(Failpoint::kAcknowledgeAfter) + 1);
  const std::set<std::string_view> names(kFailpointNames.begin(), kFailpointNames.end());
  EXPECT_EQ(names.size(), kFailpointNames.size());
  for (const std::string_view name : names) EXPECT_TRUE(name.ends_with(".before") || name.ends_with(".after")) << name;
}

}  // namespace
}  // namespace firn
