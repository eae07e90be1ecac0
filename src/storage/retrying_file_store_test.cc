#include "storage/retrying_file_store.h"

#include <arrow/io/interfaces.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "testing/faulty_file_store.h"
#include "testing/memory_file_store.h"

namespace firn::storage {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

class RetryingFileStoreTest : public ::testing::Test {
 protected:
  RetryingFileStoreTest() { (void)memory_.Write("mem://x", "1"); }

  testing::MemoryFileStore memory_;
  testing::FaultyFileStore faulty_{memory_};
  Metrics metrics_;
  const std::shared_ptr<Retrier> retrier_ = std::make_shared<Retrier>(
      RetryPolicy{.max_retries = 3, .base_delay = milliseconds(1), .max_delay = milliseconds(1)}, metrics_,
      std::stop_token());
  const std::unique_ptr<FileStore> store_ = MakeRetryingFileStore(faulty_, retrier_);

  const Error transient_{ErrorKind::kTransient, "connection reset", ErrorOrigin::kStorage};
  /// Every call of a store, by the name that its retries are counted under; whether it went well.
  const std::vector<std::pair<std::string, std::function<bool()>>> calls_ = {
      {"store_read", [&] { return store_->Read("mem://x").has_value(); }},
      {"store_write", [&] { return store_->Write("mem://x", "2").has_value(); }},
      {"store_open", [&] { return store_->OpenInput("mem://x").has_value(); }},
      {"store_open", [&] { return store_->OpenOutput("mem://y").has_value(); }},
      {"store_stat", [&] { return store_->Stat("mem://x").has_value(); }},
      {"store_list", [&] { return store_->List("mem:/").has_value(); }},
      {"store_delete", [&] { return store_->Delete("mem://x").has_value(); }}};
};

TEST_F(RetryingFileStoreTest, EveryCallOutlivesFailuresThatPass) {
  for (const auto& [name, call] : calls_) {
    faulty_.Fail(0, 3, transient_);
    const int before = faulty_.calls();
    EXPECT_TRUE(call()) << name;
    EXPECT_EQ(faulty_.calls() - before, 4) << name;
    EXPECT_THAT(metrics_.Expose(), HasSubstr("firn_retries_total{what=\"" + name + "\"}"));
  }
}

TEST_F(RetryingFileStoreTest, EveryCallGivesUpInTheEnd) {
  for (const auto& [name, call] : calls_) {
    faulty_.Fail(0, 4, transient_);
    const int before = faulty_.calls();
    EXPECT_FALSE(call()) << name;
    EXPECT_EQ(faulty_.calls() - before, 4) << name;
  }
}

TEST_F(RetryingFileStoreTest, WhatWillNotPassIsSaidAtOnce) {
  for (const ErrorKind kind : {ErrorKind::kPermission, ErrorKind::kNotFound, ErrorKind::kInvalidConfig}) {
    faulty_.Fail(0, 1, Error(kind, "no", ErrorOrigin::kStorage));
    const int before = faulty_.calls();
    EXPECT_EQ(store_->Read("mem://x").error().kind(), kind);
    EXPECT_EQ(faulty_.calls() - before, 1);
  }
}

}  // namespace
}  // namespace firn::storage
