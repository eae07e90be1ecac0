#include "config/problems.h"

#include <algorithm>

namespace firn::config {

Error Problems::ToError() && {
  std::ranges::stable_sort(problems_, [](const auto& a, const auto& b) { return a.first.line < b.first.line; });
  std::string text;
  for (const auto& [origin, message] : problems_) {
    if (!text.empty()) text += '\n';
    text += fmt::format("{}: {}", origin.Text(), message);
  }
  return Error(ErrorKind::kInvalidConfig, std::move(text));
}

}  // namespace firn::config
