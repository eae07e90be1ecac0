// A catalog that asks another one, for tests that change what becomes of some calls. Thread-safe as that one.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "catalog/catalog.h"

namespace firn::testing {

class ForwardingCatalog : public catalog::Catalog {
 public:
  explicit ForwardingCatalog(catalog::Catalog& real) : real_(real) {}

  Status EnsureNamespace(const std::vector<std::string>& levels) override { return real_.EnsureNamespace(levels); }
  Result<std::vector<std::vector<std::string>>> ListNamespaces() override { return real_.ListNamespaces(); }
  Result<std::vector<iceberg::TableIdent>> ListTables(const std::vector<std::string>& levels) override {
    return real_.ListTables(levels);
  }
  Result<catalog::LoadedTable> LoadTable(const iceberg::TableIdent& ident) override { return real_.LoadTable(ident); }
  Result<catalog::LoadedTable> CreateTable(const iceberg::TableIdent& ident, const iceberg::NewTable& table) override {
    return real_.CreateTable(ident, table);
  }
  Status RenameTable(const iceberg::TableIdent& from, const iceberg::TableIdent& to) override {
    return real_.RenameTable(from, to);
  }
  Status DropTable(const iceberg::TableIdent& ident) override { return real_.DropTable(ident); }
  bool CommitsTablesTogether() const override { return real_.CommitsTablesTogether(); }
  Result<std::vector<catalog::LoadedTable>> CommitTables(std::span<const iceberg::CommitRequest> requests) override {
    return real_.CommitTables(requests);
  }

 protected:
  catalog::Catalog& real_;
};

}  // namespace firn::testing
