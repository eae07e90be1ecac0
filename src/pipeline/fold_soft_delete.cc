#include "pipeline/fold_soft_delete.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

#include "pipeline/fold_steps.h"

namespace firn::pipeline {
namespace {

RowFacts Deleted(RowFacts facts) {
  facts.deleted = true;
  return facts;
}

class SoftDeleteKeyFolder {
 public:
  SoftDeleteKeyFolder(size_t rows, bool with_previous) {
    if (with_previous) folded_.previous.resize(rows);
  }

  void Insert(std::string_view key, int32_t row, const RowFacts& facts) {
    // The table may hold a deleted row of this key.
    State& state = Find(key, /*maybe_absent=*/true);
    state.written = {row, facts};
    state.deleted_in_table.reset();
  }

  void Update(std::string_view old_key, std::string_view key, int32_t row, const RowFacts& facts) {
    State& old = Find(old_key, /*maybe_absent=*/false);
    if (!folded_.previous.empty()) {
      folded_.previous[row] =
          old.written.row == kNoRow ? PreviousImage{.removed = old.removed} : PreviousImage{.row = old.written.row};
    }
    old.written = {};
    Insert(key, row, facts);
  }

  void Delete(std::string_view key, const RowFacts& facts) {
    State& state = Find(key, /*maybe_absent=*/false);
    if (state.written.row == kNoRow) {
      state.deleted_in_table = Deleted(facts);
    } else {
      state.written.facts = Deleted(facts);
    }
  }

  FoldedBatch Finish() && {
    std::vector<WrittenRow> written;
    for (const auto& [key, state] : states_) {
      if (state.written.row != kNoRow) {
        written.push_back(state.written);
      } else if (state.deleted_in_table) {
        folded_.rewritten.push_back({state.removed, *state.deleted_in_table});
      } else {
        folded_.vanished_keys.push_back(key);
      }
    }
    TakeWrittenRows(std::move(written), folded_);
    std::ranges::sort(folded_.rewritten, {}, &RewrittenRow::removed);
    return std::move(folded_);
  }

 private:
  struct State {
    WrittenRow written;                        ///< The key's row, of this batch.
    std::optional<RowFacts> deleted_in_table;  ///< It is still the table's, which the batch deletes.
    int32_t removed = kNoRow;                  ///< In removed_keys.
  };

  State& Find(std::string_view key, bool maybe_absent) {
    auto [position, is_new] = states_.try_emplace(key);
    if (is_new) {
      position->second.removed = static_cast<int32_t>(folded_.removed_keys.size());
      folded_.removed_keys.push_back(key);
      folded_.maybe_absent.push_back(maybe_absent);
    }
    return position->second;
  }

  std::unordered_map<std::string_view, State> states_;
  FoldedBatch folded_;
};

class SoftDeleteWholeRowFolder {
 public:
  void Insert(std::string_view key, int32_t row, const RowFacts& facts) { live_[key].push_back({row, facts}); }

  void Update(std::string_view old_key, std::string_view key, int32_t row, const RowFacts& facts) {
    (void)Remove(old_key);
    Insert(key, row, facts);
  }

  void Delete(std::string_view key, const RowFacts& facts) {
    if (const auto row = Remove(key)) {
      written_.push_back({row->row, Deleted(facts)});
    } else {
      folded_.rewritten.push_back({static_cast<int32_t>(folded_.removed_keys.size()) - 1, Deleted(facts)});
    }
  }

  FoldedBatch Finish() && {
    for (const auto& [key, rows] : live_) written_.insert(written_.end(), rows.begin(), rows.end());
    TakeWrittenRows(std::move(written_), folded_);
    return std::move(folded_);
  }

 private:
  /// The row that goes from its place: one of the batch, or else the last of removed_keys.
  std::optional<WrittenRow> Remove(std::string_view key) {
    auto position = live_.find(key);
    if (position == live_.end() || position->second.empty()) {
      folded_.removed_keys.push_back(key);
      return std::nullopt;
    }
    const WrittenRow row = position->second.back();
    position->second.pop_back();
    return row;
  }

  std::unordered_map<std::string_view, std::vector<WrittenRow>> live_;
  std::vector<WrittenRow> written_;
  FoldedBatch folded_;
};

}  // namespace

FoldedBatch FoldSoftDelete(const TableBatch& batch, ChangeRange range, RowIdentity identity,
                           const index::EncodedKeys& row_keys, const index::EncodedKeys& old_keys, bool with_previous) {
  return FoldWith<SoftDeleteKeyFolder, SoftDeleteWholeRowFolder>(batch, range, identity, row_keys, old_keys,
                                                                 with_previous);
}

}  // namespace firn::pipeline
