// What every catalog must do, as one test suite. A catalog's test file runs it with
//
//   INSTANTIATE_TEST_SUITE_P(Sql, CatalogConformanceTest, ::testing::Values(MakeSqlCatalogFixture), CatalogName);
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "catalog/catalog.h"

namespace firn::catalog {

/// A fresh, empty catalog and whatever it stands on.
class CatalogFixture {
 public:
  virtual ~CatalogFixture() = default;
  virtual Catalog& catalog() = 0;
  /// A second client of the same catalog, as another process would be; the catalog itself where that can't be.
  virtual Catalog& other_client() { return catalog(); }
};

struct CatalogMaker {
  std::string name;
  std::function<std::unique_ptr<CatalogFixture>()> make;
};

class CatalogConformanceTest : public ::testing::TestWithParam<CatalogMaker> {
 protected:
  void SetUp() override { fixture_ = GetParam().make(); }
  Catalog& catalog() { return fixture_->catalog(); }
  Catalog& other_client() { return fixture_->other_client(); }

 private:
  std::unique_ptr<CatalogFixture> fixture_;
};

inline std::string CatalogName(const ::testing::TestParamInfo<CatalogMaker>& info) { return info.param.name; }

}  // namespace firn::catalog
