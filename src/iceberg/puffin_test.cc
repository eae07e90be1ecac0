#include "iceberg/puffin.h"

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "iceberg/compression.h"
#include "testing/memory_file_store.h"

namespace firn::iceberg {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

arrow::io::BufferReader Open(const std::string& bytes) {
  return arrow::io::BufferReader(arrow::Buffer::FromString(bytes));
}

std::string LittleEndian(uint32_t value) { return {reinterpret_cast<const char*>(&value), sizeof(value)}; }

/// A file of one blob, "hello", with this footer.
std::string FileWith(const std::string& footer, char flags) {
  return "PFA1helloPFA1" + footer + LittleEndian(static_cast<uint32_t>(footer.size())) + flags +
         std::string("\0\0\0PFA1", 7);
}

constexpr char kFooter[] =
    R"({"blobs":[{"type":"t","fields":[1,2],"snapshot-id":7,"sequence-number":-1,"offset":4,"length":5}]})";

TEST(Puffin, ReadsBackWhatItWrote) {
  testing::MemoryFileStore store;
  auto writer = PuffinWriter::Open(store, "f.puffin");
  const PuffinBlob first = writer->Add({.type = "a", .fields = {1}, .properties = {{"k", "v"}}}, "hello").value();
  const PuffinBlob second = writer->Add({.type = "b", .snapshot_id = 3, .sequence_number = 4}, "").value();
  const int64_t size = writer->Finish().value();
  const std::string bytes = store.Read("f.puffin", storage::kUnknownSize).value();
  EXPECT_EQ(size, static_cast<int64_t>(bytes.size()));
  EXPECT_TRUE(
      bytes.starts_with("PFA1helloPFA1{\"blobs\":[{\"type\":\"a\",\"fields\":[1],\"snapshot-id\":-1,"
                        "\"sequence-number\":-1,\"offset\":4,\"length\":5,\"properties\":{\"k\":\"v\"}},"))
      << bytes;
  EXPECT_TRUE(bytes.ends_with(std::string("\0\0\0\0PFA1", 8)));
  auto file = Open(bytes);
  const PuffinFooter footer = ReadPuffinFooter(file).value();
  EXPECT_THAT(footer.blobs, ::testing::ElementsAre(first, second));
  EXPECT_THAT(footer.properties.at("created-by"), HasSubstr("firn"));
  EXPECT_EQ(ReadPuffinBlob(file, footer.blobs[0]).value(), "hello");
  EXPECT_EQ(ReadPuffinBlob(file, footer.blobs[1]).value(), "");
}

TEST(Puffin, ReadsCompressedFootersAndBlobs) {
  for (const BlockCodec codec : {BlockCodec::kLz4Frame, BlockCodec::kZstandard}) {
    auto file = Open(FileWith(Compress(codec, kFooter).value(), 1));
    const auto footer = ReadPuffinFooter(file);
    ASSERT_TRUE(footer.has_value()) << footer.error().message();
    ASSERT_THAT(footer->blobs, SizeIs(1));
    EXPECT_EQ(ReadPuffinBlob(file, footer->blobs[0]).value(), "hello");

    const std::string compressed = Compress(codec, "hello, hello").value();
    auto blobs = Open(compressed);
    EXPECT_EQ(ReadPuffinBlob(blobs, {.length = static_cast<int64_t>(compressed.size()),
                                     .compression_codec = codec == BlockCodec::kLz4Frame ? "lz4" : "zstd"})
                  .value(),
              "hello, hello");
  }
}

TEST(Puffin, RefusesFilesThatAreNone) {
  const std::string good = FileWith(kFooter, 0);
  for (size_t size = 0; size < good.size(); ++size) {
    auto file = Open(good.substr(0, size));
    EXPECT_FALSE(ReadPuffinFooter(file).has_value()) << size;
  }
  for (const std::string& bad : {FileWith("{}", 0), FileWith("[]", 0), FileWith(kFooter, 1), FileWith(kFooter, 2),
                                 FileWith(R"({"blobs":[{"type":"t"}]})", 0)}) {
    auto file = Open(bad);
    EXPECT_FALSE(ReadPuffinFooter(file).has_value()) << bad;
  }
  std::string long_footer = good;
  long_footer[good.size() - 9] = '\x7F';
  auto file = Open(long_footer);
  EXPECT_EQ(ReadPuffinFooter(file).error().kind(), ErrorKind::kCorrupt);
}

TEST(Puffin, RefusesBlobsOutsideOfTheFile) {
  auto file = Open(FileWith(kFooter, 0));
  constexpr int64_t kHuge = int64_t{1} << 62;
  for (const PuffinBlob& blob :
       {PuffinBlob{.offset = -1, .length = 1}, PuffinBlob{.offset = 4, .length = -1},
        PuffinBlob{.offset = 4, .length = 1000}, PuffinBlob{.offset = kHuge, .length = kHuge}}) {
    EXPECT_EQ(ReadPuffinBlob(file, blob).error().kind(), ErrorKind::kCorrupt);
  }
  EXPECT_EQ(ReadPuffinBlob(file, {.offset = 4, .length = 5, .compression_codec = "brotli"}).error().kind(),
            ErrorKind::kUnsupported);
}

TEST(Puffin, LeavesNoFileThatWasNotFinished) {
  testing::MemoryFileStore store;
  {
    auto writer = PuffinWriter::Open(store, "f.puffin");
    ASSERT_TRUE(writer->Add({.type = "a"}, "hello").has_value());
  }
  EXPECT_FALSE(store.Stat("f.puffin").has_value());
}

}  // namespace
}  // namespace firn::iceberg
