// What every store must do, as one test suite. A store's test file runs it with
//
//   INSTANTIATE_TEST_SUITE_P(Local, StoreConformanceTest, ::testing::Values(MakeLocalFixture), StoreName);
//
// firn_storage_test runs it on a local folder and on the in-memory fake, and on each real store that is named in its
// environment, by a folder of its own and its settings:
//
//   FIRN_TEST_STORE_S3="s3://bucket/folder endpoint=http://127.0.0.1:9000 access_key_id=… secret_access_key=…"
//   FIRN_TEST_STORE_GCS="gs://bucket/folder endpoint=http://127.0.0.1:4443 anonymous=true"
//   FIRN_TEST_STORE_AZURE="abfss://container@account.dfs.core.windows.net/folder endpoint=… account_key=…"
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "storage/file_store.h"

namespace firn::storage {

/// A store and an empty folder in it.
class StoreFixture {
 public:
  virtual ~StoreFixture() = default;
  virtual FileStore& store() = 0;
  virtual std::string root() const = 0;  ///< Without a slash at its end.
};

struct StoreMaker {
  std::string name;
  std::function<std::unique_ptr<StoreFixture>()> make;
};

class StoreConformanceTest : public ::testing::TestWithParam<StoreMaker> {
 protected:
  void SetUp() override { fixture_ = GetParam().make(); }
  FileStore& store() { return fixture_->store(); }
  std::string At(const std::string& name) const { return fixture_->root() + "/" + name; }

 private:
  std::unique_ptr<StoreFixture> fixture_;
};

inline std::string StoreName(const ::testing::TestParamInfo<StoreMaker>& info) { return info.param.name; }

}  // namespace firn::storage
