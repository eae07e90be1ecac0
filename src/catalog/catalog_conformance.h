// What every catalog must do, as one test suite. A catalog's test file runs it with
//
//   INSTANTIATE_TEST_SUITE_P(Sql, CatalogConformanceTest, ::testing::Values(MakeSqlCatalogFixture), CatalogName);
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "catalog/catalog.h"
#include "observe/log.h"

namespace firn::catalog {

/// Where a kind of catalog has less than others.
struct CatalogLimits {
  bool flat_namespaces = false;  ///< Namespaces have one level.
  bool plain_names = false;      ///< Names are of lower-case letters, digits and '_'.
};

/// A fresh, empty catalog and whatever it stands on.
class CatalogFixture {
 public:
  virtual ~CatalogFixture() = default;
  virtual CatalogLimits limits() const { return {}; }
  virtual Catalog& catalog() = 0;
  /// A second client of the same catalog, as another process would be; the catalog itself where that can't be.
  virtual Catalog& other_client() { return catalog(); }
};

/// Two clients of the catalog of a `Lake`, which Open() gives.
template <typename Lake>
class ClientsFixture : public CatalogFixture {
 public:
  Catalog& catalog() override { return *catalog_; }
  Catalog& other_client() override { return *other_; }

 private:
  Lake lake_;
  std::unique_ptr<Catalog> catalog_ = lake_.Open();
  std::unique_ptr<Catalog> other_ = lake_.Open();
};

struct CatalogMaker {
  std::string name;
  std::function<std::unique_ptr<CatalogFixture>()> make;
};

class CatalogConformanceTest : public ::testing::TestWithParam<CatalogMaker> {
 protected:
  // The many retries that some tests are about are not worth a line each.
  static void SetUpTestSuite() { SetUpLogging(LogLevel::kError, LogFormat::kText); }
  void SetUp() override { fixture_ = GetParam().make(); }
  Catalog& catalog() { return fixture_->catalog(); }
  Catalog& other_client() { return fixture_->other_client(); }
  CatalogLimits limits() const { return fixture_->limits(); }
  /// {"a", "b"}, and {"a_b"} where namespaces have one level.
  std::vector<std::string> Below(const std::string& level, const std::string& below) const {
    if (limits().flat_namespaces) return {level + "_" + below};
    return {level, below};
  }

 private:
  std::unique_ptr<CatalogFixture> fixture_;
};

inline std::string CatalogName(const ::testing::TestParamInfo<CatalogMaker>& info) { return info.param.name; }

}  // namespace firn::catalog
