#include "config/suggestion.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace firn::config {

size_t EditDistance(std::string_view a, std::string_view b) {
  // Three rows of the optimal string alignment table: two back (for swaps), the last, the current.
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), current(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({last[j] + 1, current[j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        current[j] = std::min(current[j], before[j - 2] + 1);
      }
    }
    before = std::exchange(last, current);
  }
  return last[b.size()];
}

std::optional<std::string> Suggest(std::string_view wrong, std::span<const std::string> known) {
  std::optional<std::string> best;
  if (wrong.size() < 3) return std::nullopt;  // Anything is near to so little.
  size_t best_distance = wrong.size() / 3 + 1;
  for (const std::string& name : known) {
    const size_t distance = EditDistance(wrong, name);
    if (distance < best_distance) {
      best = name;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace firn::config
