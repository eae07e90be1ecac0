#include "storage/unsynced_files.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "testing/temporary_folder.h"

namespace firn::storage {
namespace {

using ::testing::HasSubstr;

class UnsyncedFilesTest : public ::testing::Test {
 protected:
  std::string Made(const std::string& name) const {
    const std::string path = folder_ / name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << "x";
    return path;
  }

  const testing::TemporaryFolder folder_;
  UnsyncedFiles files_;
};

TEST_F(UnsyncedFilesTest, SyncsFewOrMany) {
  EXPECT_TRUE(files_.SyncAll());
  files_.AddFile(Made("a"));
  files_.AddFile(Made("t/data/a"));
  files_.AddFolder(folder_ / "t");
  EXPECT_TRUE(files_.SyncAll());
  for (int i = 0; i < 1'000; ++i) files_.AddFile(Made(fmt::format("t{}/a", i % 7)));
  EXPECT_TRUE(files_.SyncAll());
}

TEST_F(UnsyncedFilesTest, LeavesOutWhatIsGone) {
  files_.AddFile(folder_ / "gone");
  files_.AddFolder(folder_ / "gone too");
  EXPECT_TRUE(files_.SyncAll());
  for (int i = 0; i < 1'000; ++i) files_.AddFile(folder_ / "gone/a");
  EXPECT_TRUE(files_.SyncAll());
}

TEST_F(UnsyncedFilesTest, AfterAFailureNothingIsCertainAnyMore) {
  const std::string file = Made("a");
  files_.AddFile(file + "/below a file");
  for (int i = 0; i < 2; ++i) {
    const Status synced = files_.SyncAll();
    ASSERT_FALSE(synced);
    EXPECT_EQ(synced.error().kind(), ErrorKind::kWriteFailed);
    EXPECT_THAT(synced.error().message(), HasSubstr("Start firn again"));
    EXPECT_THAT(synced.error().message(), HasSubstr(file));
  }
}

TEST_F(UnsyncedFilesTest, AFileSystemThatCanNotBeFoundIsAFailureToo) {
  const std::string file = Made("a");
  for (int i = 0; i < 1'000; ++i) files_.AddFile(file + "/below/a");
  EXPECT_FALSE(files_.SyncAll());
}

}  // namespace
}  // namespace firn::storage
