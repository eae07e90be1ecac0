#include "pipeline/fold.h"

#include <memory_resource>
#include <unordered_map>
#include <utility>
#include <vector>

namespace firn::pipeline {
namespace {

/// The rows that are marked, ascending.
std::vector<int32_t> RowsOf(const std::vector<bool>& marked) {
  std::vector<int32_t> rows;
  rows.reserve(marked.size());
  for (size_t row = 0; row < marked.size(); ++row) {
    if (marked[row]) rows.push_back(static_cast<int32_t>(row));
  }
  return rows;
}

/// PostgreSQL checks a key's uniqueness at every change, so a key has at most one live row at any moment.
class KeyFolder {
 public:
  KeyFolder(size_t changes, bool with_previous, size_t rows) : alive_(rows, false) {
    states_.reserve(changes);
    if (with_previous) folded_.previous.resize(rows);
  }

  void Insert(std::string_view key, int32_t row) { Place(states_.try_emplace(key).first->second, row); }

  void Update(std::string_view old_key, std::string_view key, int32_t row) {
    const auto [previous, state] = Take(old_key);
    if (!folded_.previous.empty()) folded_.previous[row] = previous;
    old_key.data() == key.data() ? Place(*state, row) : Insert(key, row);
  }

  void Remove(std::string_view key) { Take(key); }

  FoldedBatch Finish() && {
    folded_.live_rows = RowsOf(alive_);
    for (const auto& [key, state] : states_) {
      if (state.live_row == kNoRow && state.removed != kNoRow) folded_.vanished_keys.push_back(key);
    }
    return std::move(folded_);
  }

 private:
  struct State {
    int32_t live_row = kNoRow;
    int32_t removed = kNoRow;  ///< In removed_keys: the table held this key before the batch.
  };

  void Place(State& state, int32_t row) {
    if (state.live_row != kNoRow) alive_[state.live_row] = false;
    state.live_row = row;
    alive_[row] = true;
  }

  std::pair<PreviousImage, State*> Take(std::string_view key) {
    auto [position, is_new] = states_.try_emplace(key);
    State& state = position->second;
    if (is_new) {
      state.removed = static_cast<int32_t>(folded_.removed_keys.size());
      folded_.removed_keys.push_back(key);
    }
    const int32_t row = std::exchange(state.live_row, kNoRow);
    if (row == kNoRow) return {PreviousImage{.removed = state.removed}, &state};
    alive_[row] = false;
    return {PreviousImage{.row = row}, &state};
  }

  std::pmr::monotonic_buffer_resource memory_;
  std::pmr::unordered_map<std::string_view, State> states_{&memory_};
  std::vector<bool> alive_;
  FoldedBatch folded_;
};

/// Equal rows are interchangeable: an update or delete takes the last one that this batch wrote, else one of the table.
class WholeRowFolder {
 public:
  explicit WholeRowFolder(size_t rows) : alive_(rows, false) {}

  void Insert(std::string_view key, int32_t row) {
    live_[key].push_back(row);
    alive_[row] = true;
  }

  void Remove(std::string_view key) {
    if (auto position = live_.find(key); position != live_.end() && !position->second.empty()) {
      alive_[position->second.back()] = false;
      position->second.pop_back();
    } else {
      folded_.removed_keys.push_back(key);
    }
  }

  FoldedBatch Finish() && {
    folded_.live_rows = RowsOf(alive_);
    return std::move(folded_);
  }

 private:
  std::unordered_map<std::string_view, std::vector<int32_t>> live_;
  std::vector<bool> alive_;
  FoldedBatch folded_;
};

FoldedBatch KeepEveryRow(std::span<const Change> changes) {
  FoldedBatch folded;
  folded.live_rows.reserve(changes.size());
  for (const Change& change : changes) folded.live_rows.push_back(change.row);
  return folded;
}

}  // namespace

FoldedBatch Fold(std::span<const Change> changes, RowIdentity identity, const index::EncodedKeys& row_keys,
                 const index::EncodedKeys& old_keys, bool with_previous) {
  if (identity == RowIdentity::kAppendOnly) return KeepEveryRow(changes);

  if (identity == RowIdentity::kWholeRow) {
    WholeRowFolder folder(row_keys.size());
    for (const Change& change : changes) {
      if (change.kind != ChangeKind::kInsert) folder.Remove(old_keys[change.old]);
      if (change.kind != ChangeKind::kDelete) folder.Insert(row_keys[change.row], change.row);
    }
    return std::move(folder).Finish();
  }

  KeyFolder folder(changes.size(), with_previous, row_keys.size());
  for (const Change& change : changes) {
    switch (change.kind) {
      case ChangeKind::kInsert:
        folder.Insert(row_keys[change.row], change.row);
        break;
      case ChangeKind::kUpdate: {
        const std::string_view key = row_keys[change.row];
        folder.Update(change.old == kNoRow ? key : old_keys[change.old], key, change.row);
        break;
      }
      case ChangeKind::kDelete:
        folder.Remove(old_keys[change.old]);
        break;
      case ChangeKind::kTruncate:
        std::unreachable();  // TableBatch::truncate_first
    }
  }
  return std::move(folder).Finish();
}

}  // namespace firn::pipeline
