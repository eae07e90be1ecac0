// The Glue catalog on a server that speaks Glue's protocol: FIRN_TEST_GLUE_ENDPOINT is that of a moto, which is
// emptied. tests/services/test_glue.py starts one, behind a proxy that has the optimistic lock which moto lacks, and
// runs this.
#include <gtest/gtest.h>

#include <cstdlib>
#include <stdexcept>

#include "catalog/catalog_conformance.h"
#include "catalog/glue/glue_catalog.h"
#include "testing/results.h"
#include "testing/temporary_folder.h"

namespace firn::catalog {
namespace {

using testing::Value;

std::string Endpoint() {
  const char* endpoint = std::getenv("FIRN_TEST_GLUE_ENDPOINT");
  if (endpoint == nullptr) throw std::runtime_error("set FIRN_TEST_GLUE_ENDPOINT to the URL of a moto");
  return endpoint;
}

class MotoFixture : public CatalogFixture {
 public:
  MotoFixture() {
    store_ = Value(storage::OpenFileStore(folder_.path(), {{"fsync", "false"}}));
    http::HttpClient client({});
    Value(client.Send({.method = "POST", .url = Endpoint() + "/moto-api/reset"}));
    catalog_ = Open();
    other_ = Open();
  }

  CatalogLimits limits() const override { return {.flat_namespaces = true, .plain_names = true}; }
  Catalog& catalog() override { return *catalog_; }
  Catalog& other_client() override { return *other_; }

 private:
  std::unique_ptr<Catalog> Open() {
    const AwsCredentials credentials{.access_key_id = "AKIDEXAMPLE", .secret_access_key = "any"};
    return Value(OpenGlueCatalog({.client = {.region = "us-east-1",
                                             .endpoint = Endpoint(),
                                             .credentials = [=]() -> Result<AwsCredentials> { return credentials; }},
                                  .warehouse = folder_.path()},
                                 *store_));
  }

  const testing::TemporaryFolder folder_;
  std::unique_ptr<storage::FileStore> store_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<Catalog> other_;
};

INSTANTIATE_TEST_SUITE_P(Glue, CatalogConformanceTest,
                         ::testing::Values(CatalogMaker{"Moto", [] { return std::make_unique<MotoFixture>(); }}),
                         CatalogName);

}  // namespace
}  // namespace firn::catalog
