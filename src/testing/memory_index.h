// An index database in memory, for tests: as strict about the order of its steps as a real one. Each step may fail.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/try.h"
#include "index/table_index.h"

namespace firn::testing {

class MemoryIndex : public index::Database {
 public:
  /// `before_step` is asked before each step that changes something, or reads rows.
  explicit MemoryIndex(std::function<Status()> before_step = [] { return Status(); })
      : before_step_(std::move(before_step)) {}

  Result<std::unique_ptr<index::TableIndex>> OpenTable(const std::string& table_id, index::KeyKind kind) override {
    return std::make_unique<Table>(*this, tables_[table_id], kind);
  }
  Status DropTable(const std::string& table_id) override {
    tables_.erase(table_id);
    return {};
  }
  Result<std::vector<std::string>> TableIds() override {
    std::vector<std::string> ids;
    for (const auto& [id, stored] : tables_) {
      if (stored.exists) ids.push_back(id);
    }
    return ids;
  }
  /// As if the folder had been deleted. Not while a table is open.
  void Lose() { tables_.clear(); }

 private:
  /// What outlives the process.
  struct Stored {
    bool exists = false;
    index::IndexState state;
    std::multimap<std::string, index::RowPosition, std::less<>> rows;
    std::vector<std::string> files;
  };

  class Table : public index::TableIndex {
   public:
    Table(MemoryIndex& database, Stored& stored, index::KeyKind kind)
        : database_(database), stored_(stored), kind_(kind) {}

    index::IndexState state() const override { return stored_.state; }

    Status Reset(const std::string& commit_id) override {
      TRY_VOID(database_.before_step_());
      stored_ = {.exists = true, .state = {.changing_commit_id = commit_id}};
      return {};
    }
    Status Begin(const std::string& commit_id) override {
      TRY_VOID(database_.before_step_());
      if (!stored_.exists) return Misuse("Begin before Reset");
      if (stored_.state.changing_commit_id && *stored_.state.changing_commit_id != commit_id) {
        return Misuse("Begin by another commit");
      }
      stored_.state = {.changing_commit_id = commit_id};
      return {};
    }
    Status MarkWhole() override {
      TRY_VOID(database_.before_step_());
      if (!stored_.state.changing_commit_id) return Misuse("MarkWhole before Begin");
      stored_.state.is_whole = true;
      return {};
    }
    Status Complete(int64_t snapshot_id) override {
      TRY_VOID(database_.before_step_());
      if (!stored_.state.changing_commit_id) return Misuse("Complete before Begin");
      stored_.state = {.snapshot_id = snapshot_id};
      return {};
    }
    Result<uint32_t> AddFile(const std::string& location) override {
      TRY_VOID(database_.before_step_());
      if (!stored_.exists) return Misuse("AddFile before Reset");
      const auto found = std::ranges::find(stored_.files, location);
      const auto number = static_cast<uint32_t>(found - stored_.files.begin());
      if (found == stored_.files.end()) stored_.files.push_back(location);
      return number;
    }
    Result<std::string> FileLocation(uint32_t file) const override {
      if (file >= stored_.files.size()) return Misuse("a file that there is not");
      return stored_.files[file];
    }

    Result<std::vector<std::optional<index::RowPosition>>> Lookup(std::span<const std::string_view> keys) override {
      TRY_VOID(database_.before_step_());
      std::vector<std::optional<index::RowPosition>> positions;
      std::map<std::string_view, int> taken;
      for (const std::string_view key : keys) {
        auto [row, end] = stored_.rows.equal_range(key);
        for (int skip = kind_ == index::KeyKind::kDuplicates ? taken[key]++ : 0; skip > 0 && row != end; --skip) ++row;
        positions.push_back(row == end ? std::nullopt : std::optional(row->second));
      }
      return positions;
    }

    Status Apply(std::span<const Change> changes) override {
      TRY_VOID(database_.before_step_());
      TRY_VOID(CheckChanging());
      for (const Change& change : changes) {
        const std::string key(change.key);
        if (kind_ == index::KeyKind::kUnique) {
          stored_.rows.erase(key);
        } else if (change.erase) {
          auto [row, end] = stored_.rows.equal_range(key);
          while (row != end && row->second != *change.erase) ++row;
          if (row != end) stored_.rows.erase(row);
        }
        if (change.put) stored_.rows.emplace(key, *change.put);
      }
      return {};
    }
    Status Load(std::vector<Entry> entries) override {
      TRY_VOID(database_.before_step_());
      TRY_VOID(CheckChanging());
      for (const Entry& entry : entries) {
        if (kind_ == index::KeyKind::kUnique) stored_.rows.erase(std::string(entry.key));
        stored_.rows.emplace(std::string(entry.key), entry.position);
      }
      return {};
    }

   private:
    static Error Misuse(std::string_view what) { return MakeError(ErrorKind::kInternal, "the index: {}", what); }
    Status CheckChanging() const {
      const bool is_changing = stored_.state.changing_commit_id && !stored_.state.is_whole;
      return is_changing ? Status() : Misuse("changed outside Begin and MarkWhole");
    }

    MemoryIndex& database_;
    Stored& stored_;
    const index::KeyKind kind_;
  };

  const std::function<Status()> before_step_;
  std::map<std::string, Stored> tables_;
};

}  // namespace firn::testing
