#include "storage/vended_credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn::storage {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

/// A catalog that vends what it is told to, and a clock that stands still.
class VendedCredentialsTest : public ::testing::Test {
 protected:
  using Clock = VendedCredentials::Clock;

  StoreOptions For(const std::string& location) { return credentials_.For(location).value(); }
  VendedSettings Key(const std::string& prefix, const std::string& key, std::optional<seconds> life = std::nullopt) {
    VendedSettings settings{.prefix = prefix, .options = {{"access_key_id", key}}};
    if (life) settings.expires_at = now_ + *life;
    return settings;
  }
  static StoreOptions Options(const std::string& key) { return {{"access_key_id", key}}; }

  Clock::time_point now_ = Clock::time_point(std::chrono::hours(500'000));
  std::vector<VendedSettings> vended_;
  std::vector<std::string> asked_;
  VendedCredentials credentials_{[this](std::string_view location) -> Result<std::vector<VendedSettings>> {
                                   asked_.emplace_back(location);
                                   return vended_;
                                 },
                                 [this] { return now_; }};
};

TEST_F(VendedCredentialsTest, AsksOnceForEachPrefix) {
  vended_ = {Key("s3://lake/orders/", "one")};
  EXPECT_EQ(For("s3://lake/orders/data/x"), Options("one"));
  EXPECT_EQ(For("s3://lake/orders/data/y"), Options("one"));
  EXPECT_EQ(asked_.size(), 1u);
  vended_ = {Key("s3://lake/items/", "two")};
  EXPECT_EQ(For("s3://lake/items/data/x"), Options("two"));
  EXPECT_EQ(For("s3://lake/orders/data/z"), Options("one"));
  EXPECT_THAT(asked_, ::testing::ElementsAre("s3://lake/orders/data/x", "s3://lake/items/data/x"));
}

TEST_F(VendedCredentialsTest, TheLongestPrefixCounts) {
  vended_ = {Key("s3", "all"), Key("s3://lake/orders/", "orders"), Key("s3://lake/", "lake")};
  EXPECT_EQ(For("s3://lake/orders/x"), Options("orders"));
  EXPECT_EQ(For("s3://lake/items/x"), Options("lake"));
  EXPECT_EQ(For("s3://other/x"), Options("all"));
  EXPECT_EQ(asked_.size(), 1u);
}

TEST_F(VendedCredentialsTest, APrefixEndsWithAName) {
  vended_ = {Key("s3://lake/orders", "one")};
  EXPECT_EQ(For("s3://lake/orders/x"), Options("one"));
  EXPECT_EQ(For("s3://lake/orders"), Options("one"));
  vended_ = {Key("s3://lake/orders2", "two")};
  EXPECT_EQ(For("s3://lake/orders2/x"), Options("two"));
}

TEST_F(VendedCredentialsTest, RenewsBeforeTheyExpire) {
  vended_ = {Key("s3://lake/", "one", minutes(60))};
  EXPECT_EQ(For("s3://lake/x"), Options("one"));
  vended_ = {Key("s3://lake/", "two", minutes(120))};
  now_ += minutes(54);
  EXPECT_EQ(For("s3://lake/x"), Options("one"));
  now_ += minutes(2);
  EXPECT_EQ(For("s3://lake/x"), Options("two"));
  EXPECT_EQ(asked_.size(), 2u);
}

TEST_F(VendedCredentialsTest, UsesThoseOfAShortLifeForMostOfIt) {
  vended_ = {Key("s3://lake/", "one", seconds(8))};
  EXPECT_EQ(For("s3://lake/x"), Options("one"));
  now_ += seconds(5);
  EXPECT_EQ(For("s3://lake/x"), Options("one"));
  vended_ = {Key("s3://lake/", "two", seconds(8))};
  now_ += seconds(2);
  EXPECT_EQ(For("s3://lake/x"), Options("two"));
}

TEST_F(VendedCredentialsTest, AsksAgainAfterARefusal) {
  vended_ = {Key("s3://lake/", "one", minutes(60))};
  EXPECT_EQ(For("s3://lake/x"), Options("one"));
  vended_ = {Key("s3://lake/", "two", minutes(60))};
  now_ += minutes(5);
  EXPECT_TRUE(credentials_.Refused(Options("one")));
  EXPECT_EQ(For("s3://lake/x"), Options("two"));
  EXPECT_TRUE(credentials_.Refused(Options("one"))) << "another stream that had them";
  EXPECT_EQ(For("s3://lake/x"), Options("two"));
  EXPECT_EQ(asked_.size(), 2u);
}

TEST_F(VendedCredentialsTest, NewOnesAreNotRefusedForTheirAge) {
  vended_ = {Key("s3://lake/", "one", minutes(60))};
  EXPECT_EQ(For("s3://lake/x"), Options("one"));
  EXPECT_FALSE(credentials_.Refused(Options("one"))) << "a right is missing";
  vended_ = {Key("s3://lake/", "short", seconds(4))};
  EXPECT_EQ(For("s3://lake/x"), Options("short"));
  now_ += seconds(4);
  EXPECT_TRUE(credentials_.Refused(Options("short"))) << "they have expired";
}

TEST_F(VendedCredentialsTest, NothingVendedIsKeptForTheFolderForAWhile) {
  EXPECT_EQ(For("s3://lake/orders/data/x"), StoreOptions());
  EXPECT_EQ(For("s3://lake/orders/data/y"), StoreOptions());
  EXPECT_EQ(asked_.size(), 1u);
  now_ += minutes(2);
  vended_ = {Key("s3://lake/", "one")};
  EXPECT_EQ(For("s3://lake/orders/data/y"), Options("one"));
}

TEST_F(VendedCredentialsTest, HandsOnTheCatalogsErrors) {
  VendedCredentials broken([](std::string_view) -> Result<std::vector<VendedSettings>> {
    return Error(ErrorKind::kTransient, "the catalog is down");
  });
  EXPECT_EQ(broken.For("s3://lake/x").error().kind(), ErrorKind::kTransient);
}

TEST(LayOverTest, CredentialsGiveWayTogether) {
  const StoreOptions configured = {
      {"endpoint", "http://a"}, {"region", "eu-west-1"}, {"access_key_id", "mine"}, {"secret_access_key", "hunter2"}};
  EXPECT_EQ(LayOver(configured, {}), configured);
  EXPECT_EQ(LayOver(configured, {{"region", "us-east-1"}}), (StoreOptions{{"endpoint", "http://a"},
                                                                          {"region", "us-east-1"},
                                                                          {"access_key_id", "mine"},
                                                                          {"secret_access_key", "hunter2"}}));
  EXPECT_EQ(LayOver({{"access_key_id", "mine"}, {"secret_access_key", "hunter2"}, {"session_token", "t"}},
                    {{"access_key_id", "theirs"}, {"secret_access_key", "s"}}),
            (StoreOptions{{"access_key_id", "theirs"}, {"secret_access_key", "s"}}));
}

}  // namespace
}  // namespace firn::storage
