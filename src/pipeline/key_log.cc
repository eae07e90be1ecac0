#include "pipeline/key_log.h"

#include <arrow/util/crc32.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "base/try.h"

namespace firn::pipeline {
namespace {

constexpr size_t kIntegerBytes = 4;

void PutInteger(std::string& log, uint32_t value) {
  for (size_t i = 0; i < kIntegerBytes; ++i) log.push_back(static_cast<char>(value >> (8 * i) & 0xFF));
}

/// Of the first bytes, which are there.
uint32_t ReadInteger(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < kIntegerBytes; ++i) {
    value |= static_cast<uint32_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return value;
}

void PutText(std::string& log, std::string_view text) {
  PutInteger(log, static_cast<uint32_t>(text.size()));
  log += text;
}

/// Takes it from the front; nothing where it is not whole.
std::optional<std::string_view> TakeText(std::string_view& rest) {
  if (rest.size() < kIntegerBytes) return std::nullopt;
  const uint32_t length = ReadInteger(rest);
  rest.remove_prefix(kIntegerBytes);
  if (rest.size() < length) return std::nullopt;
  const std::string_view text = rest.substr(0, length);
  rest.remove_prefix(length);
  return text;
}

uint32_t ChecksumOf(std::string_view bytes) { return arrow::internal::crc32(0, bytes.data(), bytes.size()); }

Error BrokenLog(std::string_view why) { return MakeError(ErrorKind::kCorrupt, "a log of changed keys: {}", why); }

}  // namespace

std::string EncodeKeyLog(KeyLogHead head, const ChangedKeys& keys) {
  const nlohmann::json line = {{"from", ToString(head.from)},
                               {"until", ToString(head.until)},
                               {"parts", head.parts},
                               {"keys", keys.sql().size()},
                               {"bytes", keys.bytes()}};
  std::string log = line.dump() + '\n';
  for (size_t i = 0; i < keys.sql().size(); ++i) {
    PutText(log, keys.encoded()[i]);
    PutText(log, keys.sql()[i]);
  }
  PutInteger(log, ChecksumOf(log));
  return log;
}

Result<KeyLog> DecodeKeyLog(std::string_view log) {
  if (log.size() < kIntegerBytes) return BrokenLog("it is cut off");
  const std::string_view checked = log.substr(0, log.size() - kIntegerBytes);
  if (ReadInteger(log.substr(checked.size())) != ChecksumOf(checked)) {
    return BrokenLog("its checksum does not fit its bytes");
  }
  const size_t line = checked.find('\n');
  if (line == std::string_view::npos) return BrokenLog("it has no head");
  KeyLog decoded;
  KeyLogHead& head = decoded.head;
  try {
    const auto json = nlohmann::json::parse(checked.substr(0, line));
    TRY(head.from, Lsn::Parse(json.at("from").get<std::string>()));
    TRY(head.until, Lsn::Parse(json.at("until").get<std::string>()));
    head.parts = json.at("parts").get<int>();
    head.keys = json.at("keys").get<size_t>();
    head.bytes = json.at("bytes").get<size_t>();
  } catch (const nlohmann::json::exception& error) {
    return BrokenLog(error.what());
  }
  std::string_view rest = checked.substr(line + 1);
  while (!rest.empty()) {
    const auto key = TakeText(rest);
    const auto sql = key ? TakeText(rest) : std::nullopt;
    if (!sql) return BrokenLog("it ends in the middle of a key");
    decoded.keys.emplace_back(*key, *sql);
  }
  if (decoded.keys.size() != head.keys) return BrokenLog("it has another number of keys than its head says");
  return decoded;
}

}  // namespace firn::pipeline
