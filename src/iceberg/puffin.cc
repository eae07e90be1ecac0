#include "iceberg/puffin.h"

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>

#include <bit>
#include <cstring>
#include <utility>

#include "base/try.h"
#include "iceberg/compression.h"
#include "iceberg/json_member.h"
#include "storage/arrow_error.h"

#ifndef FIRN_VERSION
#define FIRN_VERSION "unreleased"
#endif

namespace firn::iceberg {
namespace {

constexpr std::string_view kMagic = "PFA1";
constexpr int64_t kTrailerBytes = 12;  // Footer length, flags, magic.
constexpr uint8_t kFooterCompressed = 1;
constexpr int64_t kFooterBytesMax = 256 << 20;
constexpr int64_t kBlobBytesMax = int64_t{1} << 31;
// The first bytes of a frame, by which a compressed footer tells its codec: the spec names lz4, some writers take zstd.
constexpr std::string_view kLz4Frame = "\x04\x22\x4D\x18";
constexpr std::string_view kZstdFrame = "\x28\xB5\x2F\xFD";

static_assert(std::endian::native == std::endian::little, "lengths in Puffin files are little-endian");

Error Corrupt(std::string_view what) { return MakeError(ErrorKind::kCorrupt, "not a Puffin file: {}", what); }

Json BlobToJson(const PuffinBlob& blob) {
  Json json = {{"type", blob.type},
               {"fields", blob.fields},
               {"snapshot-id", blob.snapshot_id},
               {"sequence-number", blob.sequence_number},
               {"offset", blob.offset},
               {"length", blob.length}};
  if (!blob.compression_codec.empty()) json["compression-codec"] = blob.compression_codec;
  if (!blob.properties.empty()) json["properties"] = blob.properties;
  return json;
}

Result<std::map<std::string, std::string>> PropertiesFromJson(const Json& object) {
  std::map<std::string, std::string> properties;
  const Json* member = FindMember(object, "properties");
  if (member == nullptr) return properties;
  if (!member->is_object()) return MakeError(ErrorKind::kCorrupt, "properties: expected an object");
  for (const auto& [key, value] : member->items()) {
    TRY(properties[key], JsonValue<std::string>(value).Context("properties: {}", key));
  }
  return properties;
}

Result<PuffinBlob> BlobFromJson(const Json& json) {
  PuffinBlob blob;
  TRY(blob.type, Member<std::string>(json, "type"));
  TRY(blob.fields, MemberArray<int32_t>(json, "fields", JsonValue<int32_t>));
  TRY(blob.snapshot_id, Member<int64_t>(json, "snapshot-id"));
  TRY(blob.sequence_number, Member<int64_t>(json, "sequence-number"));
  TRY(blob.offset, Member<int64_t>(json, "offset"));
  TRY(blob.length, Member<int64_t>(json, "length"));
  TRY(auto codec, OptionalMember<std::string>(json, "compression-codec"));
  blob.compression_codec = std::move(codec).value_or("");
  TRY(blob.properties, PropertiesFromJson(json));
  return blob;
}

Result<PuffinFooter> FooterFromJson(std::string_view text) {
  TRY(const Json json, ParseJson(text));
  PuffinFooter footer;
  if (FindMember(json, "blobs") == nullptr) return MakeError(ErrorKind::kCorrupt, "blobs: the member is missing");
  TRY(footer.blobs, MemberArray<PuffinBlob>(json, "blobs", BlobFromJson));
  TRY(footer.properties, PropertiesFromJson(json));
  return footer;
}

Result<std::string> ReadBytes(arrow::io::RandomAccessFile& file, int64_t offset, int64_t length) {
  std::string bytes(static_cast<size_t>(length), '\0');
  TRY(const int64_t read, storage::FromArrow(file.ReadAt(offset, length, bytes.data()), "reading a Puffin file"));
  if (read != length) return Corrupt("it ends too early");
  return bytes;
}

Result<std::string> DecompressFooter(std::string_view payload) {
  if (payload.starts_with(kLz4Frame)) return Decompress(BlockCodec::kLz4Frame, payload, kFooterBytesMax);
  if (payload.starts_with(kZstdFrame)) return Decompress(BlockCodec::kZstandard, payload, kFooterBytesMax);
  return Corrupt("its footer is compressed, but neither with lz4 nor with zstd");
}

}  // namespace

PuffinWriter::PuffinWriter(storage::FileStore& store, std::string location,
                           std::shared_ptr<arrow::io::OutputStream> stream)
    : store_(&store), location_(std::move(location)), stream_(std::move(stream)) {}

PuffinWriter::PuffinWriter(PuffinWriter&&) noexcept = default;

PuffinWriter::~PuffinWriter() {
  if (!stream_) return;
  (void)stream_->Abort();
  (void)store_->Delete(location_);
}

Result<PuffinWriter> PuffinWriter::Open(storage::FileStore& store, std::string location) {
  TRY(auto stream, store.OpenOutput(location));
  PuffinWriter writer(store, std::move(location), std::move(stream));
  writer.footer_.properties["created-by"] = "firn version " FIRN_VERSION;
  TRY_VOID(writer.Write(kMagic));
  return writer;
}

Status PuffinWriter::Write(std::string_view bytes) {
  TRY_VOID(
      storage::FromArrow(stream_->Write(bytes.data(), static_cast<int64_t>(bytes.size())), "writing {}", location_));
  size_ += static_cast<int64_t>(bytes.size());
  return {};
}

Result<PuffinBlob> PuffinWriter::Add(PuffinBlob blob, std::string_view content) {
  blob.offset = size_;
  blob.length = static_cast<int64_t>(content.size());
  TRY_VOID(Write(content));
  footer_.blobs.push_back(blob);
  return blob;
}

Result<int64_t> PuffinWriter::Finish() {
  Json json = {{"blobs", Json::array()}, {"properties", footer_.properties}};
  for (const PuffinBlob& blob : footer_.blobs) json["blobs"].push_back(BlobToJson(blob));
  const std::string payload = DumpJson(json);
  const auto length = static_cast<int32_t>(payload.size());
  std::string footer;
  footer.append(kMagic).append(payload);
  footer.append(reinterpret_cast<const char*>(&length), sizeof(length));
  footer.append(4, '\0').append(kMagic);  // Flags: none.
  TRY_VOID(Write(footer));
  TRY_VOID(storage::FromArrow(stream_->Close(), "closing {}", location_));
  stream_.reset();
  return size_;
}

Result<PuffinFooter> ReadPuffinFooter(arrow::io::RandomAccessFile& file) {
  TRY(const int64_t size, storage::FromArrow(file.GetSize(), "reading a Puffin file"));
  const auto magic = static_cast<int64_t>(kMagic.size());
  if (size < 2 * magic + kTrailerBytes) return Corrupt("it is too short");
  TRY(const std::string trailer, ReadBytes(file, size - kTrailerBytes, kTrailerBytes));
  int32_t length = 0;
  std::memcpy(&length, trailer.data(), sizeof(length));
  if (!trailer.ends_with(kMagic)) return Corrupt("it doesn't end with its magic");
  if (length < 0 || length > size - kTrailerBytes - 2 * magic) return Corrupt("its footer has an impossible length");
  TRY(std::string payload, ReadBytes(file, size - kTrailerBytes - length - magic, length + magic));
  if (!payload.starts_with(kMagic)) return Corrupt("its footer doesn't start with its magic");
  payload.erase(0, kMagic.size());
  const auto flags = static_cast<uint8_t>(trailer[4]);
  if ((flags & ~kFooterCompressed) != 0 || trailer[5] != 0 || trailer[6] != 0 || trailer[7] != 0) {
    return MakeError(ErrorKind::kUnsupported, "a Puffin file with flags that are not known");
  }
  if ((flags & kFooterCompressed) != 0) {
    TRY(payload, DecompressFooter(payload).Context("the footer of a Puffin file"));
  }
  return FooterFromJson(payload).Context("the footer of a Puffin file");
}

Result<std::string> ReadPuffinBlob(arrow::io::RandomAccessFile& file, const PuffinBlob& blob) {
  TRY(const int64_t size, storage::FromArrow(file.GetSize(), "reading a Puffin file"));
  if (blob.offset < 0 || blob.length < 0 || blob.length > size || blob.offset > size - blob.length) {
    return Corrupt("a blob lies outside of it");
  }
  TRY(std::string content, ReadBytes(file, blob.offset, blob.length));
  if (blob.compression_codec.empty()) return content;
  if (blob.compression_codec == "lz4") return Decompress(BlockCodec::kLz4Frame, content, kBlobBytesMax);
  if (blob.compression_codec == "zstd") return Decompress(BlockCodec::kZstandard, content, kBlobBytesMax);
  return MakeError(ErrorKind::kUnsupported, "a Puffin blob with compression codec \"{}\"", blob.compression_codec);
}

}  // namespace firn::iceberg
