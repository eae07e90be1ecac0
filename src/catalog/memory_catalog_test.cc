#include "testing/memory_catalog.h"

#include "catalog/catalog_conformance.h"

namespace firn::catalog {
namespace {

class MemoryFixture : public CatalogFixture {
 public:
  explicit MemoryFixture(bool together) : catalog_(together) {}
  Catalog& catalog() override { return catalog_; }

 private:
  testing::MemoryCatalog catalog_;
};

INSTANTIATE_TEST_SUITE_P(
    Memory, CatalogConformanceTest,
    ::testing::Values(CatalogMaker{"Together", [] { return std::make_unique<MemoryFixture>(true); }},
                      CatalogMaker{"OneByOne", [] { return std::make_unique<MemoryFixture>(false); }}),
    CatalogName);

}  // namespace
}  // namespace firn::catalog
