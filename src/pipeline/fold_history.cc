#include "pipeline/fold_history.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "pipeline/fold_steps.h"

namespace firn::pipeline {
namespace {

/// The versions that the batch wrote and that have ended.
class EndedVersions {
 public:
  void Add(WrittenRow version, int64_t ended_at_us) {
    if (version.facts.committed_at_us == ended_at_us) return;
    version.facts.valid_to_us = ended_at_us;
    versions_.push_back(version);
  }
  std::vector<WrittenRow> Take() { return std::move(versions_); }

 private:
  std::vector<WrittenRow> versions_;
};

class HistoryKeyFolder {
 public:
  HistoryKeyFolder(size_t rows, bool with_previous) {
    if (with_previous) folded_.previous.resize(rows);
  }

  void Insert(std::string_view key, int32_t row, const RowFacts& facts) {
    states_.try_emplace(key).first->second.current = {row, facts};
  }

  void Update(std::string_view old_key, std::string_view key, int32_t row, const RowFacts& facts) {
    const PreviousImage previous = End(old_key, facts.committed_at_us);
    if (!folded_.previous.empty()) folded_.previous[row] = previous;
    Insert(key, row, facts);
  }

  void Delete(std::string_view key, const RowFacts& facts) { End(key, facts.committed_at_us); }

  FoldedBatch Finish() && {
    std::vector<WrittenRow> written = ended_.Take();
    for (const auto& [key, state] : states_) {
      if (state.current.row != kNoRow) {
        written.push_back(state.current);
      } else if (state.removed != kNoRow) {
        folded_.vanished_keys.push_back(key);
      }
    }
    TakeWrittenRows(std::move(written), folded_);
    return std::move(folded_);
  }

 private:
  struct State {
    WrittenRow current;        ///< Of this batch.
    int32_t removed = kNoRow;  ///< In removed_keys: the table had a current version before the batch.
  };

  PreviousImage End(std::string_view key, int64_t time_us) {
    auto [position, is_new] = states_.try_emplace(key);
    State& state = position->second;
    if (is_new) {
      state.removed = static_cast<int32_t>(folded_.removed_keys.size());
      folded_.removed_keys.push_back(key);
      folded_.rewritten.push_back({state.removed, {.valid_to_us = time_us}});
    }
    if (state.current.row == kNoRow) return {.removed = state.removed};
    const WrittenRow version = std::exchange(state.current, {});
    ended_.Add(version, time_us);
    return {.row = version.row};
  }

  std::unordered_map<std::string_view, State> states_;
  EndedVersions ended_;
  FoldedBatch folded_;
};

class HistoryWholeRowFolder {
 public:
  void Insert(std::string_view key, int32_t row, const RowFacts& facts) { current_[key].push_back({row, facts}); }

  void Update(std::string_view old_key, std::string_view key, int32_t row, const RowFacts& facts) {
    Delete(old_key, facts);
    Insert(key, row, facts);
  }

  void Delete(std::string_view key, const RowFacts& facts) {
    if (auto position = current_.find(key); position != current_.end() && !position->second.empty()) {
      ended_.Add(position->second.back(), facts.committed_at_us);
      position->second.pop_back();
    } else {
      folded_.rewritten.push_back(
          {static_cast<int32_t>(folded_.removed_keys.size()), {.valid_to_us = facts.committed_at_us}});
      folded_.removed_keys.push_back(key);
    }
  }

  FoldedBatch Finish() && {
    std::vector<WrittenRow> written = ended_.Take();
    for (const auto& [key, rows] : current_) written.insert(written.end(), rows.begin(), rows.end());
    TakeWrittenRows(std::move(written), folded_);
    return std::move(folded_);
  }

 private:
  std::unordered_map<std::string_view, std::vector<WrittenRow>> current_;
  EndedVersions ended_;
  FoldedBatch folded_;
};

}  // namespace

FoldedBatch FoldHistory(const TableBatch& batch, ChangeRange range, RowIdentity identity,
                        const index::EncodedKeys& row_keys, const index::EncodedKeys& old_keys, bool with_previous) {
  return FoldWith<HistoryKeyFolder, HistoryWholeRowFolder>(batch, range, identity, row_keys, old_keys, with_previous);
}

}  // namespace firn::pipeline
