// The snapshots of a table's metadata. A snapshot never changes, so that all versions of the metadata share it, and the
// text of its JSON is made once: a commit costs little for each snapshot that it only carries along.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace firn::iceberg {

using SnapshotId = int64_t;
using Properties = std::map<std::string, std::string>;

struct Snapshot {
  SnapshotId snapshot_id = 0;
  std::optional<SnapshotId> parent_snapshot_id;
  int64_t sequence_number = 0;
  int64_t timestamp_ms = 0;
  std::string manifest_list;  ///< A full URI.
  Properties summary;         ///< With "operation".
  std::optional<int32_t> schema_id;
  std::optional<int64_t> first_row_id;  ///< v3
  std::optional<int64_t> added_rows;    ///< v3
  bool operator==(const Snapshot&) const = default;
};

/// Snapshots in the order of the metadata: a vector of `const Snapshot&`, cheap to copy. Thread-safety: that of a
/// vector; copies on several threads may share snapshots.
class SnapshotList {
  struct Shared {
    explicit Shared(Snapshot value) : snapshot(std::move(value)) {}
    const Snapshot snapshot;
    mutable std::once_flag has_text;
    mutable std::string text;
  };
  using Elements = std::vector<std::shared_ptr<const Shared>>;

 public:
  /// Valid until the list changes; the snapshot itself stays where it is as long as any list holds it.
  class const_iterator {
   public:
    using iterator_category = std::bidirectional_iterator_tag;
    using value_type = Snapshot;
    using difference_type = std::ptrdiff_t;
    using pointer = const Snapshot*;
    using reference = const Snapshot&;

    const_iterator() = default;
    explicit const_iterator(Elements::const_iterator at) : at_(at) {}
    reference operator*() const { return (*at_)->snapshot; }
    pointer operator->() const { return &(*at_)->snapshot; }
    const_iterator& operator++() {
      ++at_;
      return *this;
    }
    const_iterator operator++(int) { return const_iterator(at_++); }
    const_iterator& operator--() {
      --at_;
      return *this;
    }
    const_iterator operator--(int) { return const_iterator(at_--); }
    bool operator==(const const_iterator&) const = default;

   private:
    Elements::const_iterator at_;
  };
  using const_reverse_iterator = std::reverse_iterator<const_iterator>;
  using value_type = Snapshot;

  SnapshotList() = default;
  SnapshotList(std::vector<Snapshot> snapshots) {  // NOLINT(google-explicit-constructor): as read.
    elements_.reserve(snapshots.size());
    for (Snapshot& snapshot : snapshots) push_back(std::move(snapshot));
  }

  const_iterator begin() const { return const_iterator(elements_.begin()); }
  const_iterator end() const { return const_iterator(elements_.end()); }
  const_reverse_iterator rbegin() const { return const_reverse_iterator(end()); }
  const_reverse_iterator rend() const { return const_reverse_iterator(begin()); }
  size_t size() const { return elements_.size(); }
  bool empty() const { return elements_.empty(); }
  const Snapshot& front() const { return elements_.front()->snapshot; }
  const Snapshot& back() const { return elements_.back()->snapshot; }

  void push_back(Snapshot snapshot) { elements_.push_back(std::make_shared<const Shared>(std::move(snapshot))); }

  template <typename Predicate>
  void EraseIf(Predicate predicate) {
    std::erase_if(elements_, [&](const auto& element) { return predicate(element->snapshot); });
  }

  /// Calls `visit` with the text that `make(const Snapshot&)` gives for each snapshot. It is made when it is first
  /// asked for by any list that shares the snapshot, so that every `make` must be the same.
  template <typename Make, typename Visit>
  void VisitTexts(Make make, Visit visit) const {
    for (const auto& element : elements_) {
      std::call_once(element->has_text, [&] { element->text = make(element->snapshot); });
      visit(element->text);
    }
  }

  friend bool operator==(const SnapshotList& left, const SnapshotList& right) {
    return std::equal(left.elements_.begin(), left.elements_.end(), right.elements_.begin(), right.elements_.end(),
                      [](const auto& a, const auto& b) { return a == b || a->snapshot == b->snapshot; });
  }

 private:
  Elements elements_;
};

}  // namespace firn::iceberg
