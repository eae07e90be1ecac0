// Any bytes as an Avro file: each record is skipped, and read by the kind that the file's own schema gives its values.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "expect.h"
#include "iceberg/avro_container.h"

namespace {

using namespace firn;
using namespace firn::iceberg;

void ReadValue(AvroDecoder& decoder, const AvroType& declared) {
  const AvroType& type = decoder.Resolve(declared);
  switch (type.kind) {
    case AvroKind::kBoolean:
      decoder.Boolean(type);
      return;
    case AvroKind::kInt:
      decoder.Int(type);
      return;
    case AvroKind::kLong:
      decoder.Long(type);
      return;
    case AvroKind::kFloat:
    case AvroKind::kDouble:
      decoder.Double(type);
      return;
    case AvroKind::kBytes:
    case AvroKind::kString:
    case AvroKind::kFixed:
      decoder.Bytes(type);
      return;
    case AvroKind::kArray:
      decoder.Array(type, [&](const AvroType& item) { ReadValue(decoder, item); });
      return;
    case AvroKind::kRecord:
      // A record without bytes can have 2^64 fields in a schema of a few hundred bytes; Skip knows that.
      if (type.bytes_min == 0) return decoder.Skip(type);
      decoder.Record(type, [&](int32_t, const AvroType& field) { ReadValue(decoder, field); });
      return;
    default:
      decoder.Skip(type);
  }
}

Status ReadAll(std::string_view file, bool skip) {
  TRY(AvroReader reader, AvroReader::Open(file));
  const auto read = [skip](AvroDecoder& decoder, const AvroType& type) -> Status {
    skip ? decoder.Skip(type) : ReadValue(decoder, type);
    return {};
  };
  return reader.ForEach(read);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  for (const bool skip : {true, false}) {
    const Status done = ReadAll(file, skip);
    if (!done.has_value()) fuzz::ExpectFaultOfInput(done.error());
  }
  return 0;
}
