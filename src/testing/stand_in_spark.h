// Programs in place of Spark's, in a folder of each test's own, below which firn's temporary files lie, too.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "testing/temporary_folder.h"

namespace firn::testing {

class StandInSpark : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(Temporary());
    setenv("TMPDIR", Temporary().c_str(), 1);
  }
  void TearDown() override { unsetenv("TMPDIR"); }

  std::filesystem::path Temporary() const { return folder_ / "tmp"; }
  std::string Submit() const { return folder_ / "spark-submit"; }
  /// `script` is called as spark-submit is. $PROPERTIES and $JOB are the files that it is given, $HERE is the folder.
  void MakeSpark(const std::string& script, const std::string& name = "spark-submit") {
    std::ofstream(folder_ / name) << "#!/bin/sh\nPROPERTIES=$2\nJOB=$4\nHERE=" << folder_.path() << "\n" << script;
    std::filesystem::permissions(folder_ / name, std::filesystem::perms::owner_all);
  }
  std::string Read(const std::string& name) const {
    std::ifstream file(folder_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const TemporaryFolder folder_;
};

}  // namespace firn::testing
