// Everything that is wrong with a configuration, gathered so that one run tells all of it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "firn/result.h"

namespace firn::config {

/// Where a value was given: "firn.yaml:12", "FIRN_CATALOG_URI", "--warehouse".
struct Origin {
  std::string name;
  int line = 0;  ///< From 1; 0: the origin has no lines, or the problem is about all of it.

  std::string Text() const { return line > 0 ? fmt::format("{}:{}", name, line) : name; }
};

class Problems {
 public:
  template <typename... Args>
  void Add(const Origin& origin, fmt::format_string<Args...> format, Args&&... args) {
    problems_.emplace_back(origin, fmt::format(format, std::forward<Args>(args)...));
  }
  bool empty() const { return problems_.empty(); }

  /// One problem a line, in the order of the file's lines; kInvalidConfig. Only when there is one.
  Error ToError() &&;

 private:
  std::vector<std::pair<Origin, std::string>> problems_;
};

}  // namespace firn::config
