// A catalog between firn and a real one that loses commits' requests and answers, for tests. Thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <vector>

#include "catalog/catalog.h"
#include "testing/forwarding_catalog.h"

namespace firn::testing {

class FaultyCatalog : public ForwardingCatalog {
 public:
  enum class Fault {
    kNone,
    kRequestLost,          ///< Not committed, and firn can't know.
    kAnswerLost,           ///< Committed, and firn can't know.
    kRefusedForTheMoment,  ///< Not committed, and firn is told so.
  };

  /// `fault` says what becomes of call number `call` of CommitTables, counted from 0.
  FaultyCatalog(catalog::Catalog& real, std::function<Fault(int call)> fault)
      : ForwardingCatalog(real), fault_(std::move(fault)) {}

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

  const std::function<Fault(int call)> fault_;
  std::atomic<int> calls_ = 0;
};

}  // namespace firn::testing
