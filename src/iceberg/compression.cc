#include "iceberg/compression.h"

#include <arrow/util/compression.h>

#include <algorithm>
#include <memory>

#include "base/try.h"
#include "storage/arrow_error.h"

namespace firn::iceberg {
namespace {

constexpr int kDeflateLevel = 1;  // Java's for Avro: manifests are written on the way of every commit.
constexpr size_t kFirstBufferBytes = 64 << 10;

const uint8_t* Data(std::string_view bytes) { return reinterpret_cast<const uint8_t*>(bytes.data()); }
uint8_t* Data(std::string& bytes) { return reinterpret_cast<uint8_t*>(bytes.data()); }

Result<std::unique_ptr<arrow::util::Codec>> MakeCodec(BlockCodec codec) {
  switch (codec) {
    case BlockCodec::kNone:
      break;
    case BlockCodec::kDeflate:
    case BlockCodec::kGzip: {
      arrow::util::GZipCodecOptions options;
      options.compression_level = kDeflateLevel;
      options.gzip_format =
          codec == BlockCodec::kDeflate ? arrow::util::GZipFormat::DEFLATE : arrow::util::GZipFormat::GZIP;
      return storage::FromArrow(arrow::util::Codec::Create(arrow::Compression::GZIP, options), "deflate");
    }
    case BlockCodec::kSnappy:
      return storage::FromArrow(arrow::util::Codec::Create(arrow::Compression::SNAPPY), "snappy");
    case BlockCodec::kZstandard:
      return storage::FromArrow(arrow::util::Codec::Create(arrow::Compression::ZSTD), "zstandard");
    case BlockCodec::kLz4Frame:
      return storage::FromArrow(arrow::util::Codec::Create(arrow::Compression::LZ4_FRAME), "lz4");
  }
  return MakeError(ErrorKind::kInternal, "no codec");
}

Error TooLarge(int64_t size_max) {
  return MakeError(ErrorKind::kCorrupt, "the block gives more than {} bytes", size_max);
}

/// Snappy says its size first, as a little-endian varint.
Result<std::string> DecompressSnappy(std::string_view bytes, int64_t size_max) {
  uint64_t size = 0;
  for (size_t i = 0;; ++i) {
    if (i >= bytes.size() || i > 4) return MakeError(ErrorKind::kCorrupt, "not a snappy block");
    const auto byte = static_cast<uint8_t>(bytes[i]);
    size |= uint64_t{byte & 0x7Fu} << (7 * i);
    if (byte < 0x80) break;
  }
  if (size > static_cast<uint64_t>(size_max)) return TooLarge(size_max);
  // A snappy element gives at most 64 bytes for its two or three.
  if (size > bytes.size() * 64) return MakeError(ErrorKind::kCorrupt, "not a snappy block");
  TRY(auto codec, MakeCodec(BlockCodec::kSnappy));
  std::string out(size, '\0');
  auto written =
      codec->Decompress(static_cast<int64_t>(bytes.size()), Data(bytes), static_cast<int64_t>(out.size()), Data(out));
  if (!written.ok() || *written != static_cast<int64_t>(size)) {
    return MakeError(ErrorKind::kCorrupt, "not a snappy block");
  }
  return out;
}

}  // namespace

Result<std::string> Compress(BlockCodec codec, std::string_view bytes) {
  if (codec == BlockCodec::kNone) return std::string(bytes);
  TRY(auto compressor, MakeCodec(codec));
  const auto size = static_cast<int64_t>(bytes.size());
  std::string out(static_cast<size_t>(compressor->MaxCompressedLen(size, Data(bytes))), '\0');
  TRY(const int64_t written,
      storage::FromArrow(compressor->Compress(size, Data(bytes), static_cast<int64_t>(out.size()), Data(out)),
                         "compressing {} bytes", size));
  out.resize(static_cast<size_t>(written));
  return out;
}

Result<std::string> Decompress(BlockCodec codec, std::string_view bytes, int64_t size_max) {
  if (codec == BlockCodec::kNone) {
    if (static_cast<int64_t>(bytes.size()) > size_max) return TooLarge(size_max);
    return std::string(bytes);
  }
  if (codec == BlockCodec::kSnappy) return DecompressSnappy(bytes, size_max);
  TRY(auto made, MakeCodec(codec));
  TRY(auto decompressor, storage::FromArrow(made->MakeDecompressor(), "decompressing"));
  std::string out;
  size_t read = 0, written = 0;
  while (!decompressor->IsFinished()) {
    if (written == out.size()) {
      if (static_cast<int64_t>(out.size()) >= size_max) return TooLarge(size_max);
      out.resize(std::min(static_cast<size_t>(size_max), std::max(kFirstBufferBytes, out.size() * 2)));
    }
    auto step = decompressor->Decompress(static_cast<int64_t>(bytes.size() - read), Data(bytes) + read,
                                         static_cast<int64_t>(out.size() - written), Data(out) + written);
    if (!step.ok()) return MakeError(ErrorKind::kCorrupt, "bytes that do not decompress");
    read += static_cast<size_t>(step->bytes_read);
    written += static_cast<size_t>(step->bytes_written);
    if (step->bytes_read == 0 && step->bytes_written == 0 && written < out.size()) {
      return MakeError(ErrorKind::kCorrupt, "a compressed block that ends too early");
    }
  }
  out.resize(written);
  return out;
}

}  // namespace firn::iceberg
