// For tests: that docs/metrics.md names every metric.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace firn {

/// `exposition`: in Prometheus's text format, with this many families.
inline void ExpectDocumented(const std::string& exposition, int families_expected) {
  std::ifstream file(FIRN_SOURCE_DIR "/docs/metrics.md");
  const std::string docs((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::istringstream text(exposition);
  int families = 0;
  for (std::string line; std::getline(text, line);) {
    if (!line.starts_with("# TYPE ")) continue;
    ++families;
    const std::string name = line.substr(7, line.find(' ', 7) - 7);
    EXPECT_THAT(docs, ::testing::HasSubstr("`" + name + "`"));
  }
  EXPECT_EQ(families, families_expected);
}

}  // namespace firn
