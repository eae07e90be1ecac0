// "2/4": which part of the tables a pipeline takes, where several share them.
#pragma once

#include <optional>
#include <string_view>

namespace firn::config {

struct Shard {
  int number = 1;  ///< From 1.
  int count = 1;
};
constexpr int kShardsMax = 1024;

/// Nothing where the text is no such thing, or names a shard that there isn't.
std::optional<Shard> ParseShard(std::string_view text);

}  // namespace firn::config
