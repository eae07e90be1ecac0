#include "iceberg/deletion_vector.h"

#include <arrow/io/interfaces.h>
#include <arrow/util/crc32.h>

#include <bit>
#include <cstring>
#include <utility>

#include "base/try.h"
#include "iceberg/puffin.h"
#include "iceberg/roaring_format.h"

namespace firn::iceberg {
namespace {

constexpr std::string_view kMagic = "\xD1\xD3\x39\x64";
constexpr size_t kLengthBytes = 4;
constexpr size_t kCrcBytes = 4;
constexpr size_t kFrameBytes = kLengthBytes + kMagic.size() + kCrcBytes;
constexpr uint64_t kPositionMax = (uint64_t{1} << 63) - 1;
/// The row position metadata column _pos (spec: "Reserved Field IDs").
constexpr FieldId kRowPositionId = 2147483645;

static_assert(std::endian::native == std::endian::little, "the bitmap is written in the machine's order");

void PutBigEndian(uint32_t value, char* out) {
  const uint32_t swapped = __builtin_bswap32(value);
  std::memcpy(out, &swapped, sizeof(swapped));
}

uint32_t GetBigEndian(const char* in) {
  uint32_t value = 0;
  std::memcpy(&value, in, sizeof(value));
  return __builtin_bswap32(value);
}

uint32_t Crc32(std::string_view bytes) { return arrow::internal::crc32(0, bytes.data(), bytes.size()); }

Error Corrupt(std::string_view what) { return MakeError(ErrorKind::kCorrupt, "not a deletion vector: {}", what); }

}  // namespace

std::string EncodeDeletionVector(RowPositions positions) {
  positions.runOptimize();
  const size_t bitmap_bytes = positions.getSizeInBytes();
  std::string blob(kFrameBytes + bitmap_bytes, '\0');
  PutBigEndian(static_cast<uint32_t>(kMagic.size() + bitmap_bytes), blob.data());
  kMagic.copy(blob.data() + kLengthBytes, kMagic.size());
  positions.write(blob.data() + kLengthBytes + kMagic.size());
  const std::string_view checked(blob.data() + kLengthBytes, kMagic.size() + bitmap_bytes);
  PutBigEndian(Crc32(checked), blob.data() + blob.size() - kCrcBytes);
  return blob;
}

Result<RowPositions> DecodeDeletionVector(std::string_view blob) {
  if (blob.size() < kFrameBytes) return Corrupt("it is too short");
  const std::string_view checked = blob.substr(kLengthBytes, blob.size() - kLengthBytes - kCrcBytes);
  if (GetBigEndian(blob.data()) != checked.size()) return Corrupt("its length is not the blob's");
  if (!checked.starts_with(kMagic)) return Corrupt("its magic is another");
  if (GetBigEndian(blob.data() + blob.size() - kCrcBytes) != Crc32(checked)) {
    return Corrupt("its checksum does not fit its bytes");
  }
  TRY(RowPositions positions, ReadRoaring64(checked.substr(kMagic.size())).Context("a deletion vector"));
  if (!positions.isEmpty() && positions.maximum() > kPositionMax) return Corrupt("a position is above 2^63");
  return positions;
}

Result<RowPositions> ReadDeletionVector(storage::FileStore& store, const DataFile& vector) {
  if (!vector.content_offset || !vector.content_size_in_bytes) {
    return MakeError(ErrorKind::kCorrupt, "deletion vector in {}: its offset or size is missing", vector.file_path);
  }
  TRY(const auto file, store.OpenInput(vector.file_path, vector.file_size_in_bytes));
  const PuffinBlob blob{.offset = *vector.content_offset, .length = *vector.content_size_in_bytes};
  TRY(const std::string content, ReadPuffinBlob(*file, blob).Context("{}", vector.file_path));
  TRY(RowPositions positions,
      DecodeDeletionVector(content).Context("{} at {}", vector.file_path, *vector.content_offset));
  if (positions.cardinality() != static_cast<uint64_t>(vector.record_count)) {
    return MakeError(ErrorKind::kCorrupt, "{} at {}: the vector holds {} positions, but its manifest says {}",
                     vector.file_path, *vector.content_offset, positions.cardinality(), vector.record_count);
  }
  return positions;
}

Result<DataFile> WriteDeletionVector(storage::FileStore& store, std::string location, const DataFile& data_file,
                                     RowPositions positions) {
  const auto cardinality = static_cast<int64_t>(positions.cardinality());
  TRY(PuffinWriter puffin, PuffinWriter::Open(store, std::move(location)));
  PuffinBlob blob{
      .type = kDeletionVectorBlob,
      .fields = {kRowPositionId},
      .properties = {{"referenced-data-file", data_file.file_path}, {"cardinality", std::to_string(cardinality)}}};
  TRY(blob, puffin.Add(std::move(blob), EncodeDeletionVector(std::move(positions))));
  TRY(const int64_t file_size, puffin.Finish());
  return DataFile{.content = FileContent::kPositionDeletes,
                  .file_path = puffin.location(),
                  .file_format = "PUFFIN",
                  .partition_spec_id = data_file.partition_spec_id,
                  .partition = data_file.partition,
                  .record_count = cardinality,
                  .file_size_in_bytes = file_size,
                  .referenced_data_file = data_file.file_path,
                  .content_offset = blob.offset,
                  .content_size_in_bytes = blob.length};
}

}  // namespace firn::iceberg
