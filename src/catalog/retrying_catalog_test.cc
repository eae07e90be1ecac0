#include "catalog/retrying_catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/memory_catalog.h"

namespace firn::catalog {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

class RetryingCatalogTest : public ::testing::Test {
 protected:
  testing::MemoryCatalog memory_;
  Metrics metrics_;
  const std::shared_ptr<Retrier> retrier_ = std::make_shared<Retrier>(
      RetryPolicy{.max_retries = 3, .base_delay = milliseconds(1), .max_delay = milliseconds(1)}, metrics_,
      std::stop_token());
  const std::unique_ptr<Catalog> catalog_ = MakeRetryingCatalog(memory_, retrier_);
};

TEST_F(RetryingCatalogTest, LoadsATableOnceTheCatalogIsBack) {
  ASSERT_TRUE(catalog_->EnsureNamespace({"shop"}).has_value());
  ASSERT_TRUE(catalog_->CreateTable({{"shop"}, "orders"}, {}).has_value());
  memory_.FailLoads(3);
  EXPECT_TRUE(catalog_->LoadTable({{"shop"}, "orders"}).has_value());
  EXPECT_EQ(memory_.loads(), 4);
  EXPECT_THAT(metrics_.Expose(), HasSubstr("firn_retries_total{what=\"catalog_load\"} 3"));
}

TEST_F(RetryingCatalogTest, GivesUpInTheEnd) {
  memory_.FailLoads(100);
  EXPECT_EQ(catalog_->LoadTable({{"shop"}, "orders"}).error().kind(), ErrorKind::kWriteFailed);
  EXPECT_EQ(memory_.loads(), 4);
}

TEST_F(RetryingCatalogTest, SaysAtOnceThatATableIsMissing) {
  EXPECT_EQ(catalog_->LoadTable({{"shop"}, "orders"}).error().kind(), ErrorKind::kTableNotFound);
  EXPECT_EQ(memory_.loads(), 1);
}

TEST_F(RetryingCatalogTest, LeavesCommitsToTheCommitLoop) {
  memory_.FailCommits({testing::MemoryCatalog::Fault::kTransient});
  EXPECT_EQ(catalog_->CommitTables({}).error().kind(), ErrorKind::kTransient);
  EXPECT_EQ(memory_.commits(), 1);
}

}  // namespace
}  // namespace firn::catalog
