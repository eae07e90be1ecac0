#include "iceberg/deletion_vector.h"

#include <arrow/io/interfaces.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/memory_file_store.h"

namespace firn::iceberg {
namespace {

using ::testing::HasSubstr;

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

RowPositions Positions(const std::vector<uint64_t>& positions) {
  RowPositions map;
  for (const uint64_t position : positions) map.add(position);
  return map;
}

std::vector<uint64_t> AsVector(const RowPositions& positions) {
  std::vector<uint64_t> values;
  for (const uint64_t position : positions) values.push_back(position);
  return values;
}

struct JavaVector {
  std::string_view hex;
  std::vector<uint64_t> positions;
  bool same = true;
};

/// As Iceberg's Java implementation writes them. `same`: firn writes them alike; Java's library keeps short runs as
/// lists of values where firn's is two bytes shorter with runs. Both are right.
const std::vector<JavaVector> kJavaVectors = {
    {"00000022d1d339640100000000000000000000003a3000000100000000000000100000000200c590d637", {2}},
    {"00000026d1d339640100000000000000000000003a300000010000000000020010000000050006000700c4e78d9f", {5, 6, 7}, false},
    {"00000023d1d339640100000000000000000000003b30000001000005000200020000002d0004003185001b", {2, 45, 46, 47, 48, 49}},
    {"00000038d1d339640100000000000000000000003a3000000100000000000b00100000000000050007000e00100015001b001c0023002600"
     "2a003100084bf920",
     {0, 5, 7, 14, 16, 21, 27, 28, 35, 38, 42, 49}},
};

TEST(DeletionVector, IsTheBytesThatJavaWrites) {
  for (const JavaVector& java : kJavaVectors) {
    if (java.same) {
      EXPECT_EQ(EncodeDeletionVector(Positions(java.positions)), FromHex(java.hex));
    }
    const auto decoded = DecodeDeletionVector(FromHex(java.hex));
    ASSERT_TRUE(decoded.has_value()) << decoded.error().message();
    EXPECT_EQ(AsVector(*decoded), java.positions);
  }
}

TEST(DeletionVector, HoldsManyPositionsOfEveryContainerKind) {
  RowPositions positions;
  for (uint64_t i = 0; i < 200'000; i += 1 + i % 3) positions.add(i);               // Bitsets.
  for (uint64_t i = 1'000'000; i < 1'100'000; ++i) positions.add(i);                // Runs.
  for (uint64_t i = 0; i < 100; ++i) positions.add((uint64_t{3} << 32) + i * 977);  // Arrays, in another 64-bit key.
  const auto decoded = DecodeDeletionVector(EncodeDeletionVector(positions));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message();
  EXPECT_EQ(*decoded, positions);
}

TEST(DeletionVector, RefusesBytesThatAreDamaged) {
  const std::string blob = FromHex(kJavaVectors[3].hex);
  for (size_t i = 0; i < blob.size(); ++i) {
    std::string damaged = blob;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    EXPECT_FALSE(DecodeDeletionVector(damaged).has_value()) << i;
    EXPECT_FALSE(DecodeDeletionVector(blob.substr(0, i)).has_value()) << i;
  }
  EXPECT_FALSE(DecodeDeletionVector(blob + '\0').has_value());
}

TEST(DeletionVector, SharesItsPuffinFileWithTheOthersOfItsCommit) {
  testing::MemoryFileStore store;
  const DataFile first{.file_path = "data/1", .partition_spec_id = 2, .partition = {std::string("a")}};
  const DataFile second{.file_path = "data/2", .partition_spec_id = 2, .partition = {std::string("b")}};
  auto writer = DeletionVectorWriter::Open(store, "data/v.puffin");
  ASSERT_TRUE(writer->Add(first, Positions(kJavaVectors[2].positions)));
  ASSERT_TRUE(writer->Add(second, Positions({2})));
  const auto vectors = writer->Close().value();
  ASSERT_EQ(vectors.size(), 2u);
  const int64_t size = store.Stat("data/v.puffin")->size;
  EXPECT_EQ(vectors[0], (DataFile{.content = FileContent::kPositionDeletes,
                                  .file_path = "data/v.puffin",
                                  .file_format = "PUFFIN",
                                  .partition_spec_id = 2,
                                  .partition = {std::string("a")},
                                  .record_count = 6,
                                  .file_size_in_bytes = size,
                                  .referenced_data_file = "data/1",
                                  .content_offset = 4,
                                  .content_size_in_bytes = 43}));
  EXPECT_EQ(vectors[1].content_offset, 47);
  EXPECT_EQ(vectors[1].content_size_in_bytes, 42);
  EXPECT_EQ(AsVector(ReadDeletionVector(store, vectors[0]).value()), kJavaVectors[2].positions);
  EXPECT_EQ(AsVector(ReadDeletionVector(store, vectors[1]).value()), (std::vector<uint64_t>{2}));

  const auto footer = ReadPuffinFooter(**store.OpenInput("data/v.puffin")).value();
  ASSERT_EQ(footer.blobs.size(), 2u);
  EXPECT_EQ(footer.blobs[1], (PuffinBlob{.type = "deletion-vector-v1",
                                         .fields = {2147483645},
                                         .offset = 47,
                                         .length = 42,
                                         .properties = {{"referenced-data-file", "data/2"}, {"cardinality", "1"}}}));
}

TEST(DeletionVector, IsCheckedAgainstItsManifestEntry) {
  testing::MemoryFileStore store;
  auto writer = DeletionVectorWriter::Open(store, "v.puffin");
  ASSERT_TRUE(writer->Add({.file_path = "1"}, Positions({5, 6, 7})));
  const DataFile vector = writer->Close().value()[0];
  DataFile wrong = vector;
  wrong.record_count = 4;
  EXPECT_THAT(ReadDeletionVector(store, wrong).error().message(), HasSubstr("holds 3 positions"));
  wrong = vector;
  wrong.content_offset = 5;
  EXPECT_EQ(ReadDeletionVector(store, wrong).error().kind(), ErrorKind::kCorrupt);
  wrong.content_offset = int64_t{1} << 40;
  EXPECT_EQ(ReadDeletionVector(store, wrong).error().kind(), ErrorKind::kCorrupt);
  wrong.content_offset.reset();
  EXPECT_EQ(ReadDeletionVector(store, wrong).error().kind(), ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace firn::iceberg
