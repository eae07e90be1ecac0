#include "iceberg/deletion_vector.h"

#include <arrow/io/interfaces.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "iceberg/puffin.h"
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

TEST(DeletionVector, IsTheOnlyBlobOfItsPuffinFile) {
  testing::MemoryFileStore store;
  const DataFile data_file{.file_path = "data/1", .partition_spec_id = 2, .partition = {std::string("a")}};
  const auto vector =
      WriteDeletionVector(store, "data/v.puffin", data_file, Positions(kJavaVectors[2].positions)).value();
  EXPECT_EQ(vector, (DataFile{.content = FileContent::kPositionDeletes,
                              .file_path = "data/v.puffin",
                              .file_format = "PUFFIN",
                              .partition_spec_id = 2,
                              .partition = {std::string("a")},
                              .record_count = 6,
                              .file_size_in_bytes = store.Stat("data/v.puffin")->size,
                              .referenced_data_file = "data/1",
                              .content_offset = 4,
                              .content_size_in_bytes = 43}));
  EXPECT_EQ(AsVector(ReadDeletionVector(store, vector).value()), kJavaVectors[2].positions);

  const auto footer = ReadPuffinFooter(**store.OpenInput("data/v.puffin", storage::kUnknownSize)).value();
  ASSERT_EQ(footer.blobs.size(), 1u);
  EXPECT_EQ(footer.blobs[0], (PuffinBlob{.type = "deletion-vector-v1",
                                         .fields = {2147483645},
                                         .offset = 4,
                                         .length = 43,
                                         .properties = {{"referenced-data-file", "data/1"}, {"cardinality", "6"}}}));
}

TEST(DeletionVector, IsFoundBehindAnotherOneOfItsFile) {
  // As other writers put them: several in a file.
  testing::MemoryFileStore store;
  auto puffin = PuffinWriter::Open(store, "v.puffin").value();
  ASSERT_TRUE(puffin.Add({.type = kDeletionVectorBlob}, EncodeDeletionVector(Positions({5}))).has_value());
  const PuffinBlob second = puffin.Add({.type = kDeletionVectorBlob}, EncodeDeletionVector(Positions({2, 3}))).value();
  ASSERT_TRUE(puffin.Finish().has_value());
  const DataFile vector{.file_path = "v.puffin",
                        .record_count = 2,
                        .content_offset = second.offset,
                        .content_size_in_bytes = second.length};
  EXPECT_EQ(AsVector(ReadDeletionVector(store, vector).value()), (std::vector<uint64_t>{2, 3}));
}

TEST(DeletionVector, IsCheckedAgainstItsManifestEntry) {
  testing::MemoryFileStore store;
  const DataFile vector = WriteDeletionVector(store, "v.puffin", {.file_path = "1"}, Positions({5, 6, 7})).value();
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
