#include "postgres/walsender_message.h"

#include <bit>
#include <cstring>

#include "postgres/byte_reader.h"

namespace firn::postgres {

Result<std::variant<XLogData, PrimaryKeepalive>> ParseWalsenderMessage(std::string_view frame) {
  ByteReader reader(frame);
  const char letter = reader.Letter();
  if (letter == 'w') {
    XLogData data{.start = {reader.Uint64()}, .end = {reader.Uint64()}, .sent_at_us = reader.Int64()};
    data.payload = reader.Bytes(static_cast<int64_t>(reader.remaining()));
    if (reader.ok()) return data;
  } else if (letter == 'k') {
    const PrimaryKeepalive keepalive{
        .end = {reader.Uint64()}, .sent_at_us = reader.Int64(), .reply_requested = reader.Byte() != 0};
    if (reader.ok() && reader.remaining() == 0) return keepalive;
  } else if (reader.ok()) {
    return MakeError(ErrorKind::kCorrupt, ErrorOrigin::kSource, "unknown walsender message 0x{:02x}",
                     static_cast<unsigned char>(letter));
  }
  return MakeError(ErrorKind::kCorrupt, ErrorOrigin::kSource, "walsender message '{}' has {} bytes, too {}",
                   letter == '\0' ? ' ' : letter, frame.size(), reader.ok() ? "many" : "few");
}

std::array<char, 34> EncodeStatusUpdate(const StatusUpdate& update) {
  std::array<char, 34> bytes{'r'};
  char* at = bytes.data() + 1;
  for (const uint64_t number :
       {update.written.value, update.flushed.value, update.applied.value, static_cast<uint64_t>(update.sent_at_us)}) {
    const uint64_t network = std::endian::native == std::endian::little ? std::byteswap(number) : number;
    std::memcpy(at, &network, sizeof(network));
    at += sizeof(network);
  }
  *at = 0;  // no reply wanted
  return bytes;
}

}  // namespace firn::postgres
