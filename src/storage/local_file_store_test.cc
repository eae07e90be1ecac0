#include "storage/local_file_store.h"

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "testing/temporary_folder.h"

namespace firn::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LocalFileStoreTest : public ::testing::Test {
 protected:
  std::string Location(std::string_view name) const { return "file://" + folder_ / name; }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    const std::vector<FileInfo> files = store_->List(folder_.url()).value();
    for (const FileInfo& file : files) {
      names.push_back(file.location.substr(folder_.url().size() + 1));
    }
    std::ranges::sort(names);
    return names;
  }

  const firn::testing::TemporaryFolder folder_;
  std::unique_ptr<FileStore> store_ = MakeLocalFileStore();
};

TEST_F(LocalFileStoreTest, ReadsWhatItWrote) {
  ASSERT_TRUE(store_->Write(Location("a/b/x.json"), "{}").has_value());
  EXPECT_EQ(store_->Read(Location("a/b/x.json")).value(), "{}");
  ASSERT_TRUE(store_->Write(Location("a/b/x.json"), "").has_value());
  EXPECT_EQ(store_->Read(Location("a/b/x.json")).value(), "");
  EXPECT_THAT(Names(), ElementsAre("a/b/x.json"));
}

TEST_F(LocalFileStoreTest, TakesEveryWayToWriteALocalLocation) {
  ASSERT_TRUE(store_->Write(folder_ / "x", "1").has_value());
  for (const char* prefix : {"", "file:", "file://", "file://localhost"}) {
    EXPECT_EQ(store_->Read(prefix + folder_ / "x").value(), "1") << prefix;
  }
  auto foreign = store_->Read("s3://bucket/x");
  ASSERT_FALSE(foreign.has_value());
  EXPECT_EQ(foreign.error().kind(), ErrorKind::kInvalidConfig);
}

TEST_F(LocalFileStoreTest, LeavesPercentSignsAlone) {
  ASSERT_TRUE(store_->Write(Location("bin_trunc=AAE%3D/x"), "1").has_value());
  EXPECT_TRUE(std::filesystem::exists(folder_ / "bin_trunc=AAE%3D/x"));
}

TEST_F(LocalFileStoreTest, StreamsAFileOut) {
  auto stream = store_->OpenOutput(Location("data/part=1/x.parquet")).value();
  ASSERT_TRUE(stream->Write("hello ", 6).ok());
  ASSERT_TRUE(stream->Write("world", 5).ok());
  EXPECT_EQ(stream->Tell().ValueOrDie(), 11);
  ASSERT_TRUE(stream->Close().ok());
  EXPECT_TRUE(stream->closed());
  EXPECT_FALSE(stream->Write("!", 1).ok());

  auto input = store_->OpenInput(Location("data/part=1/x.parquet")).value();
  EXPECT_EQ(input->GetSize().ValueOrDie(), 11);
  EXPECT_EQ(input->ReadAt(6, 5).ValueOrDie()->ToString(), "world");
  const FileInfo info = store_->Stat(Location("data/part=1/x.parquet")).value();
  EXPECT_EQ(info.size, 11);
  EXPECT_GT(info.modified_ms, 1'600'000'000'000);
}

TEST_F(LocalFileStoreTest, SaysThatAFileIsMissing) {
  EXPECT_EQ(store_->Read(Location("x")).error().kind(), ErrorKind::kNotFound);
  EXPECT_EQ(store_->OpenInput(Location("x")).error().kind(), ErrorKind::kNotFound);
  EXPECT_EQ(store_->Stat(Location("x")).error().kind(), ErrorKind::kNotFound);
  EXPECT_TRUE(store_->Delete(Location("x")).has_value());
  EXPECT_THAT(store_->List(Location("no/such/folder")).value(), IsEmpty());
}

TEST_F(LocalFileStoreTest, ListsFilesOfAllFolders) {
  for (const char* name : {"a", "b/c", "b/d/e"}) ASSERT_TRUE(store_->Write(Location(name), "12").has_value());
  EXPECT_THAT(Names(), ElementsAre("a", "b/c", "b/d/e"));
  ASSERT_TRUE(store_->Delete(Location("b/c")).has_value());
  EXPECT_THAT(Names(), ElementsAre("a", "b/d/e"));
  EXPECT_EQ(store_->List(Location("b/")).value().at(0).location, Location("b/d/e"));
  EXPECT_EQ(store_->List(Location("b/")).value().at(0).size, 2);
}

TEST_F(LocalFileStoreTest, NamesAFileThatStandsInTheWay) {
  ASSERT_TRUE(store_->Write(Location("a"), "").has_value());
  auto result = store_->Write(Location("a/b"), "");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind(), ErrorKind::kInvalidConfig);
  EXPECT_THAT(result.error().message(), HasSubstr(folder_ / "a"));
  EXPECT_EQ(store_->Stat(folder_.url()).error().kind(), ErrorKind::kInvalidConfig);
}

TEST_F(LocalFileStoreTest, LeavesNothingBehindWhenAWriteFails) {
  std::filesystem::create_directory(folder_ / "taken");  // the rename onto a folder fails
  EXPECT_FALSE(store_->Write(Location("taken"), "content").has_value());
  EXPECT_THAT(Names(), IsEmpty());
}

TEST_F(LocalFileStoreTest, NamesTheMissingRight) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may do everything";
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0500), 0);
  auto result = store_->Write(Location("x"), "");
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0700), 0);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().kind(), ErrorKind::kPermission);
  EXPECT_THAT(result.error().message(), HasSubstr(folder_.path()));
}

TEST_F(LocalFileStoreTest, SaysThatTheDiskIsFull) {
  if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "there is no /dev/full here";
  auto stream = store_->OpenOutput("/dev/full").value();
  const arrow::Status status = stream->Write("x", 1);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.ToString(), HasSubstr("No space left"));
}

TEST_F(LocalFileStoreTest, WritesAreThereBeforeTheyAreDurable) {
  auto store = MakeLocalFileStore(LocalSync::kWhenAsked);
  ASSERT_TRUE(store->Write(Location("t/metadata/small"), "1").has_value());
  ASSERT_TRUE(store->Write(Location("t/metadata/large"), std::string(2 << 20, 'x')).has_value());
  auto stream = store->OpenOutput(Location("t/data/a")).value();
  ASSERT_TRUE(stream->Write("2", 1).ok());
  ASSERT_TRUE(stream->Close().ok());
  EXPECT_EQ(store->Read(Location("t/metadata/small")).value(), "1");
  EXPECT_EQ(store->Read(Location("t/data/a")).value(), "2");
  EXPECT_TRUE(store->MakeDurable());
}

TEST_F(LocalFileStoreTest, SaysWhenItCanNotMakeThemDurable) {
  auto store = MakeLocalFileStore(LocalSync::kWhenAsked);
  ASSERT_TRUE(store->Write(Location("t/a"), "1").has_value());
  std::filesystem::remove_all(folder_ / "t");
  std::ofstream(folder_ / "t") << "a file where a folder was";
  const Status durable = store->MakeDurable();
  ASSERT_FALSE(durable);
  EXPECT_EQ(durable.error().kind(), ErrorKind::kWriteFailed);
}

TEST_F(LocalFileStoreTest, WritesWithoutSyncingWhereThatIsWanted) {
  auto store = MakeLocalFileStore(LocalSync::kNever);
  ASSERT_TRUE(store->Write(Location("a/x"), "1").has_value());
  auto stream = store->OpenOutput(Location("b/y")).value();
  ASSERT_TRUE(stream->Write("2", 1).ok());
  ASSERT_TRUE(stream->Close().ok());
  EXPECT_THAT(Names(), ElementsAre("a/x", "b/y"));
}

}  // namespace
}  // namespace firn::storage
