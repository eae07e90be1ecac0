#include "catalog/retrying_catalog.h"

#include <fmt/ranges.h>

#include <utility>

#include "observe/log.h"

namespace firn::catalog {
namespace {

class RetryingCatalog : public Catalog {
 public:
  RetryingCatalog(Catalog& catalog, std::shared_ptr<Retrier> retrier)
      : catalog_(catalog), retrier_(std::move(retrier)) {}

  Status EnsureNamespace(const std::vector<std::string>& levels) override {
    return retrier_->Run("catalog_namespace", Name(levels), [&] { return catalog_.EnsureNamespace(levels); });
  }
  Result<std::vector<std::vector<std::string>>> ListNamespaces() override {
    return retrier_->Run("catalog_list", "", [&] { return catalog_.ListNamespaces(); });
  }
  Result<std::vector<iceberg::TableIdent>> ListTables(const std::vector<std::string>& levels) override {
    return retrier_->Run("catalog_list", Name(levels), [&] { return catalog_.ListTables(levels); });
  }
  Result<LoadedTable> LoadTable(const iceberg::TableIdent& ident) override {
    return retrier_->Run("catalog_load", ToString(ident), [&] { return catalog_.LoadTable(ident); });
  }
  Result<LoadedTable> CreateTable(const iceberg::TableIdent& ident, const iceberg::NewTable& table) override {
    return retrier_->Run("catalog_create", ToString(ident), [&] { return catalog_.CreateTable(ident, table); });
  }
  Status RenameTable(const iceberg::TableIdent& from, const iceberg::TableIdent& to) override {
    return retrier_->Run("catalog_rename", ToString(from), [&] { return catalog_.RenameTable(from, to); });
  }
  Status DropTable(const iceberg::TableIdent& ident) override {
    return retrier_->Run("catalog_drop", ToString(ident), [&] { return catalog_.DropTable(ident); });
  }
  bool CommitsTablesTogether() const override { return catalog_.CommitsTablesTogether(); }
  Result<std::vector<LoadedTable>> CommitTables(std::span<const iceberg::CommitRequest> requests) override {
    LogDebug("committing to the catalog", {{"tables", requests.size()}});
    return catalog_.CommitTables(requests);
  }

 private:
  static std::string Name(const std::vector<std::string>& levels) { return fmt::format("{}", fmt::join(levels, ".")); }

  Catalog& catalog_;
  const std::shared_ptr<Retrier> retrier_;
};

}  // namespace

std::unique_ptr<Catalog> MakeRetryingCatalog(Catalog& catalog, std::shared_ptr<Retrier> retrier) {
  return std::make_unique<RetryingCatalog>(catalog, std::move(retrier));
}

}  // namespace firn::catalog
