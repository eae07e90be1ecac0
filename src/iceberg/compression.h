// Whole buffers through the codecs of Avro and Puffin files and gzipped metadata, by Arrow's codecs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "firn/result.h"

namespace firn::iceberg {

enum class BlockCodec : uint8_t { kNone, kDeflate, kGzip, kSnappy, kZstandard, kLz4Frame };  ///< kDeflate: raw.

Result<std::string> Compress(BlockCodec codec, std::string_view bytes);

/// kCorrupt for bytes that are not the codec's, or that give more than `size_max` bytes.
Result<std::string> Decompress(BlockCodec codec, std::string_view bytes, int64_t size_max);

}  // namespace firn::iceberg
