// A catalog in memory, for tests: as strict as a real one, and it fails on request. Thread-safe.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/try.h"
#include "catalog/catalog.h"

namespace firn::testing {

class MemoryCatalog : public catalog::Catalog {
 public:
  explicit MemoryCatalog(bool commits_tables_together = true, std::string warehouse = "memory://warehouse")
      : commits_tables_together_(commits_tables_together), warehouse_(std::move(warehouse)) {}

  enum class Fault {
    kNone,                 ///< This one goes well.
    kConflict,             ///< As if another writer had been first.
    kConflictCommitted,    ///< Committed, and refused when something between sent it twice.
    kTransient,            ///< Not committed.
    kUnknownCommitted,     ///< Committed, and the answer is lost.
    kUnknownNotCommitted,  ///< The request is lost.
    kPermission,
  };
  /// What becomes of the next calls of CommitTables, in order; those after them go well.
  void FailCommits(std::vector<Fault> faults) {
    std::lock_guard lock(mutex_);
    commit_faults_.insert(commit_faults_.end(), faults.begin(), faults.end());
  }
  /// The next `count` calls of LoadTable give kTransient.
  void FailLoads(int count) {
    std::lock_guard lock(mutex_);
    load_failures_ += count;
  }
  /// Called at the start of each CommitTables, outside the lock: another writer, a stop request, a look around.
  void OnCommit(std::function<void(std::span<const iceberg::CommitRequest>)> hook) { on_commit_ = std::move(hook); }
  /// Calls of CommitTables and LoadTable so far.
  int commits() const { return Locked(commits_); }
  int loads() const { return Locked(loads_); }
  /// What the catalog takes for the present, for timestamps.
  void SetNow(int64_t now_ms) {
    std::lock_guard lock(mutex_);
    now_ms_ = now_ms;
  }

  Status EnsureNamespace(const std::vector<std::string>& levels) override {
    std::lock_guard lock(mutex_);
    for (size_t depth = 1; depth <= levels.size(); ++depth) {
      namespaces_.emplace(levels.begin(), levels.begin() + static_cast<std::ptrdiff_t>(depth));
    }
    return {};
  }

  Result<std::vector<std::vector<std::string>>> ListNamespaces() override {
    std::lock_guard lock(mutex_);
    return std::vector<std::vector<std::string>>(namespaces_.begin(), namespaces_.end());
  }

  Result<std::vector<iceberg::TableIdent>> ListTables(const std::vector<std::string>& levels) override {
    std::lock_guard lock(mutex_);
    TRY_VOID(CheckNamespace(levels));
    std::vector<iceberg::TableIdent> idents;
    for (const auto& [ident, table] : tables_) {
      if (ident.namespace_levels == levels) idents.push_back(ident);
    }
    return idents;
  }

  Result<catalog::LoadedTable> LoadTable(const iceberg::TableIdent& ident) override {
    std::lock_guard lock(mutex_);
    ++loads_;
    if (load_failures_ > 0) {
      --load_failures_;
      return Fail(ErrorKind::kTransient, "the catalog can't be reached");
    }
    return Find(ident);
  }

  Result<catalog::LoadedTable> CreateTable(const iceberg::TableIdent& ident, const iceberg::NewTable& table) override {
    std::lock_guard lock(mutex_);
    TRY_VOID(CheckNamespace(ident.namespace_levels));
    if (tables_.contains(ident)) return Fail(ErrorKind::kAlreadyExists, "table " + ToString(ident) + " exists");
    iceberg::NewTable placed = table;
    if (placed.location.empty()) {
      placed.location = warehouse_;
      for (const std::string& level : ident.namespace_levels) placed.location += "/" + level;
      placed.location += "/" + ident.name;
      // A table that was renamed keeps its place.
      const auto lies_there = [&](const auto& entry) { return entry.second.metadata->location == placed.location; };
      if (std::ranges::any_of(tables_, lies_there)) placed.location += "-" + std::to_string(++versions_);
    }
    TRY(iceberg::TableMetadata metadata, iceberg::MakeTableMetadata(placed, now_ms_));
    return tables_[ident] = Loaded(ident, std::move(metadata));
  }

  Status RenameTable(const iceberg::TableIdent& from, const iceberg::TableIdent& to) override {
    std::lock_guard lock(mutex_);
    TRY_VOID(CheckNamespace(to.namespace_levels));
    TRY(catalog::LoadedTable table, Find(from));
    if (tables_.contains(to)) return Fail(ErrorKind::kAlreadyExists, "table " + ToString(to) + " exists");
    table.ident = to;
    tables_.erase(from);
    tables_[to] = std::move(table);
    return {};
  }

  Status DropTable(const iceberg::TableIdent& ident) override {
    std::lock_guard lock(mutex_);
    if (tables_.erase(ident) == 0) return NotFound(ident);
    return {};
  }

  bool CommitsTablesTogether() const override { return commits_tables_together_; }

  Result<std::vector<catalog::LoadedTable>> CommitTables(std::span<const iceberg::CommitRequest> requests) override {
    if (on_commit_) on_commit_(requests);
    std::lock_guard lock(mutex_);
    ++commits_;
    Fault fault = Fault::kNone;
    if (!commit_faults_.empty()) {
      fault = commit_faults_.front();
      commit_faults_.pop_front();
    }
    switch (fault) {
      case Fault::kConflict:
        return Fail(ErrorKind::kConflict, "another writer was first");
      case Fault::kConflictCommitted:
        TRY_VOID(Commit(requests));
        return Fail(ErrorKind::kConflict, "another writer was first");
      case Fault::kTransient:
        return Fail(ErrorKind::kTransient, "the catalog can't be reached");
      case Fault::kPermission:
        return Fail(ErrorKind::kPermission, "the catalog doesn't allow it");
      case Fault::kUnknownNotCommitted:
        return Fail(ErrorKind::kCommitUnknown, "no answer to the commit");
      case Fault::kUnknownCommitted:
        TRY_VOID(Commit(requests));
        return Fail(ErrorKind::kCommitUnknown, "no answer to the commit");
      case Fault::kNone:
        break;
    }
    return Commit(requests);
  }

 private:
  static Error Fail(ErrorKind kind, std::string message) {
    return Error(kind, std::move(message), ErrorOrigin::kCatalog);
  }
  static Error NotFound(const iceberg::TableIdent& ident) {
    return Fail(ErrorKind::kTableNotFound, "there is no table " + ToString(ident));
  }
  int Locked(const int& value) const {
    std::lock_guard lock(mutex_);
    return value;
  }
  Status CheckNamespace(const std::vector<std::string>& levels) const {
    if (namespaces_.contains(levels)) return {};
    return Fail(ErrorKind::kNotFound, "there is no such namespace");
  }
  Result<catalog::LoadedTable> Find(const iceberg::TableIdent& ident) const {
    const auto table = tables_.find(ident);
    if (table == tables_.end()) return NotFound(ident);
    return table->second;
  }
  catalog::LoadedTable Loaded(const iceberg::TableIdent& ident, iceberg::TableMetadata metadata) {
    const std::string location = metadata.location + "/metadata/" + std::to_string(++versions_) + ".metadata.json";
    return {.ident = ident,
            .metadata = std::make_shared<const iceberg::TableMetadata>(std::move(metadata)),
            .metadata_location = location};
  }

  Result<std::vector<catalog::LoadedTable>> Commit(std::span<const iceberg::CommitRequest> requests) {
    std::vector<catalog::LoadedTable> committed;
    for (const iceberg::CommitRequest& request : requests) {
      TRY(const catalog::LoadedTable base, Find(request.table));
      if (auto held = iceberg::CheckRequirements(base.metadata.get(), request.requirements); !held.has_value()) {
        return Fail(held.error().kind(), held.error().message());
      }
      TRY(auto metadata, iceberg::ApplyUpdates(*base.metadata, base.metadata_location, request.updates,
                                               std::max<int64_t>(now_ms_, 1)));
      committed.push_back(Loaded(request.table, std::move(metadata)));
      if (!commits_tables_together_) tables_[request.table] = committed.back();
    }
    for (const catalog::LoadedTable& table : committed) tables_[table.ident] = table;
    return committed;
  }

  const bool commits_tables_together_;
  const std::string warehouse_;
  std::function<void(std::span<const iceberg::CommitRequest>)> on_commit_;
  mutable std::mutex mutex_;
  std::set<std::vector<std::string>> namespaces_;
  std::map<iceberg::TableIdent, catalog::LoadedTable> tables_;
  std::deque<Fault> commit_faults_;
  int load_failures_ = 0;
  int commits_ = 0;
  int loads_ = 0;
  int64_t versions_ = 0;
  int64_t now_ms_ = 1'700'000'000'000;
};

}  // namespace firn::testing
