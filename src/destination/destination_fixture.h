// A destination in a warehouse of the test's own, for tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "catalog/sql/sql_catalog.h"
#include "firn/destination.h"
#include "storage/file_store.h"
#include "testing/temporary_folder.h"

namespace firn {

class DestinationFixture : public ::testing::Test {
 protected:
  DestinationFixture() { Open(); }

  /// Anew, where there is one.
  void Open(DestinationOptions options = {}) {
    destination_.reset();
    options.catalog_uri = "sqlite://" + warehouse_ + "/catalog.db";
    options.warehouse = warehouse_;
    destination_ = Destination::Open(options).value();
  }

  /// The table app.users as it is in the catalog now.
  iceberg::TableMetadataPtr Metadata() {
    auto catalog = catalog::OpenSqlCatalog(
                       {.uri = "sqlite://" + warehouse_ + "/catalog.db", .warehouse = "file://" + warehouse_}, *store_)
                       .value();
    return catalog->LoadTable({{"app"}, "users"}).value().metadata;
  }

  const testing::TemporaryFolder folder_;
  const std::string warehouse_ = folder_ / "lake";
  const std::unique_ptr<storage::FileStore> store_ = storage::OpenFileStore("file://" + warehouse_, {}).value();
  std::unique_ptr<Destination> destination_;
};

}  // namespace firn
