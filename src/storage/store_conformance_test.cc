#include "storage/store_conformance.h"

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "base/unix_time.h"
#include "base/uuid.h"
#include "storage/local_file_store.h"
#include "storage/location_store.h"
#include "storage/store_location.h"
#include "testing/memory_file_store.h"
#include "testing/temporary_folder.h"

namespace firn::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAreArray;

constexpr int64_t kMiB = 1024 * 1024;

template <typename T>
T Value(Result<T> result) {
  if (!result.has_value()) throw std::runtime_error(result.error().message());
  return std::move(result).value();
}
void Do(Status status) {
  if (!status.has_value()) throw std::runtime_error(status.error().message());
}
void Do(const arrow::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}
template <typename T>
ErrorKind KindOf(const Result<T>& result) {
  if (result.has_value()) throw std::runtime_error("it went well");
  EXPECT_EQ(result.error().origin(), ErrorOrigin::kStorage) << result.error().message();
  return result.error().kind();
}

/// Bytes that are different everywhere.
std::string Content(int64_t size) {
  std::string content(static_cast<size_t>(size), '\0');
  uint64_t state = 88172645463325252;
  for (char& byte : content) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    byte = static_cast<char>(state);
  }
  return content;
}

std::vector<std::string> Locations(const std::vector<FileInfo>& files) {
  std::vector<std::string> locations;
  for (const FileInfo& file : files) locations.push_back(file.location);
  std::ranges::sort(locations);
  return locations;
}

TEST_P(StoreConformanceTest, ReadsWhatItWrote) {
  for (const std::string& content :
       {std::string("{}"), std::string(), std::string("a\0b\xff\n", 5), Content(300'000)}) {
    Do(store().Write(At("metadata/x.json"), content));
    EXPECT_EQ(Value(store().Read(At("metadata/x.json"))), content);
    EXPECT_EQ(Value(store().Read(At("metadata/x.json"), static_cast<int64_t>(content.size()))), content);
  }
}

TEST_P(StoreConformanceTest, SaysThatAFileIsMissing) {
  Do(store().Write(At("other"), "1"));
  EXPECT_EQ(KindOf(store().Read(At("x"))), ErrorKind::kNotFound);
  const auto read = store().Read(At("x"), 10);
  EXPECT_EQ(KindOf(read), ErrorKind::kNotFound) << read.error().message();
  EXPECT_EQ(KindOf(store().OpenInput(At("x"))), ErrorKind::kNotFound);
  EXPECT_EQ(KindOf(store().Stat(At("x"))), ErrorKind::kNotFound);
  EXPECT_EQ(KindOf(store().Stat(At("no/such/folder/x"))), ErrorKind::kNotFound);
  Do(store().Delete(At("x")));
  Do(store().Delete(At("no/such/folder/x")));
  EXPECT_THAT(Value(store().List(At("no/such/folder"))), IsEmpty());
}

TEST_P(StoreConformanceTest, StreamsFilesOfAnySize) {
  for (const int64_t size : {int64_t{0}, int64_t{11}, 10 * kMiB - 1, 10 * kMiB, 25 * kMiB + 7}) {
    const std::string location = At("data/part=1/" + std::to_string(size));
    const std::string content = Content(size);
    auto stream = Value(store().OpenOutput(location));
    for (int64_t written = 0; written < size;) {
      const int64_t count = std::min<int64_t>(size - written, 3 * kMiB + 1);
      Do(stream->Write(content.data() + written, count));
      written += count;
      EXPECT_EQ(stream->Tell().ValueOrDie(), written);
    }
    Do(stream->Close());
    EXPECT_TRUE(stream->closed());
    EXPECT_FALSE(stream->Write("!", 1).ok());

    EXPECT_EQ(Value(store().Stat(location)).size, size);
    for (const int64_t known : {kUnknownSize, size}) {
      auto input = Value(store().OpenInput(location, known));
      EXPECT_EQ(input->GetSize().ValueOrDie(), size);
      if (size < 10) continue;
      EXPECT_EQ(input->ReadAt(size - 5, 5).ValueOrDie()->ToString(), content.substr(static_cast<size_t>(size) - 5));
      EXPECT_EQ(input->ReadAt(size - 5, 100).ValueOrDie()->size(), 5);
      EXPECT_EQ(input->ReadAt(2, 7).ValueOrDie()->ToString(), content.substr(2, 7));
    }
    EXPECT_TRUE(Value(store().Read(location)) == content) << size;
  }
}

TEST_P(StoreConformanceTest, StreamThatIsNotClosedLeavesNoFile) {
  for (const int64_t size : {int64_t{10}, 21 * kMiB}) {
    const std::string content = Content(size);
    {
      auto stream = Value(store().OpenOutput(At("destroyed")));
      Do(stream->Write(content.data(), size));
    }
    EXPECT_EQ(KindOf(store().Stat(At("destroyed"))), ErrorKind::kNotFound) << size;
    auto stream = Value(store().OpenOutput(At("aborted")));
    Do(stream->Write(content.data(), size));
    Do(stream->Abort());
    EXPECT_TRUE(stream->closed());
    stream.reset();
    EXPECT_EQ(KindOf(store().Stat(At("aborted"))), ErrorKind::kNotFound) << size;
  }
}

TEST_P(StoreConformanceTest, NewFileTakesThePlaceOfTheOld) {
  Do(store().Write(At("x"), "a longer one"));
  auto stream = Value(store().OpenOutput(At("x")));
  Do(stream->Write("short", 5));
  Do(stream->Close());
  EXPECT_EQ(Value(store().Read(At("x"))), "short");
}

TEST_P(StoreConformanceTest, TellsSizesAndTimes) {
  const int64_t before = UnixMillisNow();
  Do(store().Write(At("a/x"), "12345"));
  const FileInfo info = Value(store().Stat(At("a/x")));
  EXPECT_EQ(info.location, At("a/x"));
  EXPECT_EQ(info.size, 5);
  EXPECT_GT(info.modified_ms, before - 120'000);
  EXPECT_LT(info.modified_ms, before + 120'000);
  const auto listed = Value(store().List(At("a")));
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].location, At("a/x"));
  EXPECT_EQ(listed[0].size, 5);
  EXPECT_GT(listed[0].modified_ms, before - 120'000);
}

TEST_P(StoreConformanceTest, ListsFilesOfAllFoldersBelow) {
  for (const char* name : {"a", "b/c", "b/d/e", "b/d/f", "bc", "b.x"}) Do(store().Write(At(name), "1"));
  EXPECT_THAT(Locations(Value(store().List(At("b")))), ElementsAre(At("b/c"), At("b/d/e"), At("b/d/f")));
  EXPECT_THAT(Locations(Value(store().List(At("b/")))), ElementsAre(At("b/c"), At("b/d/e"), At("b/d/f")));
  EXPECT_THAT(Locations(Value(store().List(At("b/d")))), ElementsAre(At("b/d/e"), At("b/d/f")));
}

TEST_P(StoreConformanceTest, DeletedFileIsGone) {
  Do(store().Write(At("b/c"), "1"));
  Do(store().Write(At("b/d"), "1"));
  Do(store().Delete(At("b/c")));
  EXPECT_EQ(KindOf(store().Read(At("b/c"))), ErrorKind::kNotFound);
  EXPECT_THAT(Locations(Value(store().List(At("b")))), ElementsAre(At("b/d")));
  Do(store().Delete(At("b/d")));
  EXPECT_THAT(Value(store().List(At("b"))), IsEmpty());
}

TEST_P(StoreConformanceTest, TakesNamesAsTheyAreWritten) {
  std::vector<std::string> locations;
  for (const char* name :
       {"with space", "per%cent", "bin=AAE%3D", "plus+", "equal=s&and", "hash#", "question?x=1", "Ünïcödé", "表",
        "quo'te", "semi;colon,comma", "tilde~", "at@", "colon:", "(brackets)[]{}"}) {
    locations.push_back(At(std::string("odd/") + name + "/" + name));
    Do(store().Write(locations.back(), name));
  }
  for (const std::string& location : locations) {
    EXPECT_TRUE(location.ends_with("/" + Value(store().Read(location)))) << location;
  }
  EXPECT_THAT(Locations(Value(store().List(At("odd")))), UnorderedElementsAreArray(locations));
  for (const std::string& location : locations) Do(store().Delete(location));
  EXPECT_THAT(Value(store().List(At("odd"))), IsEmpty());
}

TEST_P(StoreConformanceTest, MayBeUsedByManyThreadsAndListsMoreThanOnePage) {
  constexpr int kThreads = 8, kFilesEach = 130;  // More than the thousand that a LIST gives.
  std::mutex mutex;
  std::vector<std::string> failures;  // Under mutex.
  const auto fail = [&](const std::string& message) {
    std::lock_guard lock(mutex);
    failures.push_back(message);
  };
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int i = 0; i < kFilesEach; ++i) {
          const std::string location = At("many/" + std::to_string(thread) + "/" + std::to_string(i));
          if (const auto written = store().Write(location, location); !written) fail(written.error().message());
          if (i % 10 != 0) continue;
          const auto read = store().Read(location);
          if (read.value_or("") != location) fail(read ? "another content" : read.error().message());
        }
      });
    }
  }
  EXPECT_THAT(failures, IsEmpty());
  EXPECT_EQ(Value(store().List(At("many"))).size(), static_cast<size_t>(kThreads * kFilesEach));
}

class LocalFixture : public StoreFixture {
 public:
  FileStore& store() override { return *store_; }
  std::string root() const override { return folder_.url(); }

 private:
  const firn::testing::TemporaryFolder folder_;
  const std::unique_ptr<FileStore> store_ = MakeLocalFileStore(LocalSync::kNever);
};

class MemoryFixture : public StoreFixture {
 public:
  FileStore& store() override { return store_; }
  std::string root() const override { return "memory://lake"; }

 private:
  testing::MemoryFileStore store_;
};

/// A real store, by "ROOT key=value key=value". `vended`: a catalog hands out its settings.
class RealFixture : public StoreFixture {
 public:
  RealFixture(const std::string& description, bool vended) {
    std::istringstream words(description);
    words >> root_;
    StoreOptions options;
    for (std::string word; words >> word;) {
      const size_t equals = word.find('=');
      options[word.substr(0, equals)] = word.substr(equals + 1);
    }
    const auto vend = [options](std::string_view) -> Result<std::vector<VendedSettings>> {
      return std::vector<VendedSettings>{{.options = options}};
    };
    store_ = Value(vended ? OpenLocationStore(root_, {.vend = vend}) : OpenFileStore(root_, options));
    root_ += "/" + NewUuid();
  }
  ~RealFixture() override {
    const auto files = store_->List(root_);
    if (!files.has_value()) return;
    std::vector<std::jthread> threads;
    for (size_t thread = 0; thread < 8; ++thread) {
      threads.emplace_back([&, thread] {
        for (size_t i = thread; i < files->size(); i += 8) (void)store_->Delete((*files)[i].location);
      });
    }
  }
  FileStore& store() override { return *store_; }
  std::string root() const override { return root_; }

 private:
  std::string root_;
  std::unique_ptr<FileStore> store_;
};

std::vector<StoreMaker> Stores() {
  std::vector<StoreMaker> stores = {{"Local", [] { return std::make_unique<LocalFixture>(); }},
                                    {"Memory", [] { return std::make_unique<MemoryFixture>(); }}};
  for (const char* name : {"S3", "GCS", "AZURE"}) {
    const char* description = std::getenv((std::string("FIRN_TEST_STORE_") + name).c_str());
    if (description == nullptr) continue;
    const std::string text = description;
    stores.push_back({name, [text] { return std::make_unique<RealFixture>(text, /*vended=*/false); }});
    if (std::string_view(name) == "S3") {
      stores.push_back({"S3Vended", [text] { return std::make_unique<RealFixture>(text, /*vended=*/true); }});
    }
  }
  return stores;
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreConformanceTest, ::testing::ValuesIn(Stores()), StoreName);

}  // namespace
}  // namespace firn::storage
