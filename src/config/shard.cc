#include "config/shard.h"

#include <charconv>

namespace firn::config {

std::optional<Shard> ParseShard(std::string_view text) {
  Shard shard;
  const char* const end = text.data() + text.size();
  const auto [slash, bad_number] = std::from_chars(text.data(), end, shard.number);
  if (bad_number != std::errc() || slash == end || *slash != '/') return std::nullopt;
  const auto [last, bad_count] = std::from_chars(slash + 1, end, shard.count);
  if (bad_count != std::errc() || last != end) return std::nullopt;
  if (shard.number < 1 || shard.count > kShardsMax || shard.number > shard.count) return std::nullopt;
  return shard;
}

}  // namespace firn::config
