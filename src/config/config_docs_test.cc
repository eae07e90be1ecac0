// Keeps the table of keys in docs/configuration.md equal to the key table. After a change of keys:
//   FIRN_UPDATE_DOCS=1 build/dev/src/config/firn_config_test --gtest_filter='ConfigDocs.*'
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "config/config_keys.h"
#include "config/config_reference.h"

namespace firn::config {
namespace {

constexpr const char* kPath = FIRN_SOURCE_DIR "/docs/configuration.md";
constexpr std::string_view kBegin = "<!-- keys: begin (made from src/config/config_keys.cc) -->\n";
constexpr std::string_view kEnd = "<!-- keys: end -->\n";

TEST(ConfigDocs, HoldEveryKeyAsTheKeyTableHasIt) {
  std::ifstream file(kPath);
  std::string docs((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const size_t begin = docs.find(kBegin);
  const size_t end = docs.find(kEnd);
  ASSERT_NE(begin, std::string::npos) << kPath;
  ASSERT_NE(end, std::string::npos) << kPath;
  const size_t start = begin + kBegin.size();
  const std::string wanted = "\n" + ConfigReference() + "\n";
  if (std::getenv("FIRN_UPDATE_DOCS") != nullptr) {
    docs.replace(start, end - start, wanted);
    std::ofstream(kPath) << docs;
    return;
  }
  EXPECT_EQ(docs.substr(start, end - start), wanted)
      << "docs/configuration.md is behind src/config/config_keys.cc; the first lines of this file say how to update it";
}

TEST(ConfigDocs, EveryKeyHasASentenceAndASection) {
  const std::string reference = ConfigReference();
  for (const ConfigKey& key : ConfigKeys()) {
    EXPECT_TRUE(key.doc.ends_with('.')) << key.path;
    std::string path(key.path);
    if (const size_t star = path.find('*'); star != std::string::npos) path.replace(star, 1, "NAME");
    EXPECT_NE(reference.find("| `" + path + "` |"), std::string::npos) << key.path;
  }
}

}  // namespace
}  // namespace firn::config
