#include "verify/row_matcher.h"

#include <algorithm>
#include <utility>

#include "verify/bucket_sums.h"

namespace firn::verify {
namespace {

int64_t Total(const std::map<std::vector<uint64_t>, int64_t>& counts) {
  int64_t total = 0;
  for (const auto& [columns, count] : counts) total += count;
  return total;
}

}  // namespace

void RowMatcher::Add(const Row& row, Counts Sides::* side) {
  if (!buckets_.contains(BucketSums::BucketOf(row.key))) return;
  const auto [position, is_new] = keys_.try_emplace(std::string(row.key));
  if (is_new) position->second.key_text = row.key_text();
  Counts& counts = position->second.*side;
  const auto counted = counts.try_emplace({row.columns.begin(), row.columns.end()}).first;
  counted->second += row.count;
  if (counted->second == 0) counts.erase(counted);
}

std::vector<Difference> RowMatcher::Differences() const {
  std::vector<Difference> differences;
  for (const auto& [key, sides] : keys_) {
    if (sides.source == sides.table) continue;
    Difference difference{.key = sides.key_text, .source_rows = Total(sides.source), .table_rows = Total(sides.table)};
    if (sides.source.size() == 1 && sides.table.size() == 1) {
      const std::vector<uint64_t>& source = sides.source.begin()->first;
      const std::vector<uint64_t>& table = sides.table.begin()->first;
      for (size_t i = 0; i < columns_.size(); ++i) {
        if (source[i] != table[i]) difference.columns.push_back(columns_[i]);
      }
    }
    differences.push_back(std::move(difference));
  }
  std::ranges::sort(differences, {}, &Difference::key);
  return differences;
}

}  // namespace firn::verify
