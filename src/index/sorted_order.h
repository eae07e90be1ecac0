// Sorts byte strings by their first eight telling bytes as one integer, and looks at the strings themselves only on a
// tie: keys are mostly short integers, for which comparing through pointers costs five times as much.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace firn::index {

/// The first eight bytes as an integer that sorts as the bytes do; missing ones count as 0.
inline uint64_t LeadingBytes(std::string_view bytes) {
  uint64_t value = 0;
  if (bytes.empty()) return value;
  std::memcpy(&value, bytes.data(), std::min<size_t>(bytes.size(), sizeof(value)));
  return __builtin_bswap64(value);
}

/// The length of the prefix that all of key(0) … key(count - 1) share.
template <typename KeyAt>
size_t SharedPrefix(size_t count, KeyAt key) {
  if (count == 0) return 0;
  const std::string_view first = key(0);
  size_t shared = first.size();
  for (size_t i = 1; i < count && shared > 0; ++i) {
    const std::string_view other = key(i);
    shared = std::min(shared, other.size());
    if (std::memcmp(first.data(), other.data(), shared) == 0) continue;
    shared =
        static_cast<size_t>(std::mismatch(first.begin(), first.begin() + shared, other.begin()).first - first.begin());
  }
  return shared;
}

/// The order of 0 … count - 1 by `rank(i)`, and by `less(i, j)` where ranks are equal. `less` must agree with `rank`.
template <typename Rank, typename Less>
std::vector<uint32_t> SortedOrder(size_t count, Rank rank, Less less) {
  struct Item {
    uint64_t rank;
    uint32_t index;
  };
  std::vector<Item> items(count);
  for (uint32_t i = 0; i < count; ++i) items[i] = {rank(i), i};
  const auto before = [&](const Item& a, const Item& b) {
    return a.rank != b.rank ? a.rank < b.rank : less(a.index, b.index);
  };
  if (!std::is_sorted(items.begin(), items.end(), before)) std::sort(items.begin(), items.end(), before);
  std::vector<uint32_t> order(count);
  std::transform(items.begin(), items.end(), order.begin(), [](const Item& item) { return item.index; });
  return order;
}

}  // namespace firn::index
