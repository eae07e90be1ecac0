// The conformance suite on a real server, whose catalog is emptied for each test:
//
//   FIRN_TEST_REST_URI=http://127.0.0.1:8181 FIRN_TEST_REST_CREDENTIAL=id:secret FIRN_TEST_REST_WAREHOUSE=wh
//   firn_catalog_test --gtest_filter='RestServer/*'
//
// Without the first of these variables there is no such test.
#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "catalog/catalog_conformance.h"
#include "catalog/rest/rest_catalog.h"

namespace firn::catalog {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

template <typename T>
T Value(Result<T> result) {
  if (!result.has_value()) throw std::runtime_error(result.error().message());
  return std::move(result).value();
}

RestCatalogOptions ServerOptions() {
  RestCatalogOptions options{.warehouse = Variable("FIRN_TEST_REST_WAREHOUSE"), .prefix = ""};
  options.session.uri = Variable("FIRN_TEST_REST_URI");
  options.session.auth.credential = Variable("FIRN_TEST_REST_CREDENTIAL");
  return options;
}

class ServerFixture : public CatalogFixture {
 public:
  ServerFixture() : one_(Value(RestCatalog::Open(ServerOptions()))), other_(Value(RestCatalog::Open(ServerOptions()))) {
    auto namespaces = Value(one_->ListNamespaces());
    // Those inside others first.
    std::ranges::sort(namespaces, std::greater(), [](const auto& levels) { return levels.size(); });
    for (const auto& levels : namespaces) {
      for (const auto& table : Value(one_->ListTables(levels))) {
        if (auto dropped = one_->DropTable(table); !dropped) throw std::runtime_error(dropped.error().message());
      }
      // Some servers have a namespace only as long as a table is in it.
      const auto dropped = one_->DropNamespace(levels);
      if (!dropped && dropped.error().kind() != ErrorKind::kNotFound) {
        throw std::runtime_error(dropped.error().message());
      }
    }
  }
  Catalog& catalog() override { return *one_; }
  Catalog& other_client() override { return *other_; }

 private:
  std::unique_ptr<RestCatalog> one_;
  std::unique_ptr<RestCatalog> other_;
};

std::vector<CatalogMaker> Servers() {
  if (Variable("FIRN_TEST_REST_URI").empty()) return {};
  return {{"Server", [] { return std::make_unique<ServerFixture>(); }}};
}

INSTANTIATE_TEST_SUITE_P(RestServer, CatalogConformanceTest, ::testing::ValuesIn(Servers()), CatalogName);

}  // namespace
}  // namespace firn::catalog
