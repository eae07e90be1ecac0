// A catalog between firn and a real one that loses commits' requests and answers, for tests. Thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <vector>

#include "catalog/catalog.h"

namespace firn::testing {

class FaultyCatalog : public catalog::Catalog {
 public:
  enum class Fault {
    kNone,
    kRequestLost,          ///< Not committed, and firn can't know.
    kAnswerLost,           ///< Committed, and firn can't know.
    kRefusedForTheMoment,  ///< Not committed, and firn is told so.
  };

  /// `fault` says what becomes of call number `call` of CommitTables, counted from 0.
  FaultyCatalog(catalog::Catalog& real, std::function<Fault(int call)> fault) : real_(real), fault_(std::move(fault)) {}

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
    const Fault fault = fault_(calls_++);
    if (fault == Fault::kRequestLost) return Unknown();
    if (fault == Fault::kRefusedForTheMoment) {
      return Error(ErrorKind::kTransient, "the catalog is busy", ErrorOrigin::kCatalog);
    }
    auto committed = real_.CommitTables(requests);
    // A commit that lost has an answer of its own.
    if (fault == Fault::kAnswerLost && committed.has_value()) return Unknown();
    return committed;
  }

 private:
  static Error Unknown() { return Error(ErrorKind::kCommitUnknown, "no answer to the commit", ErrorOrigin::kCatalog); }

  catalog::Catalog& real_;
  const std::function<Fault(int call)> fault_;
  std::atomic<int> calls_ = 0;
};

}  // namespace firn::testing
