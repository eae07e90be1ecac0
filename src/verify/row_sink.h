// What both sides give their rows to. Plain data.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firn/result.h"

namespace firn::verify {

struct Row {
  std::string_view key;               ///< As index/key_codec.h has it; of a table without a key, all of its columns.
  std::span<const uint64_t> columns;  ///< Digests of the values.
  int64_t count = 1;                  ///< How many such rows; negative: so many fewer than were given before.
  const std::function<std::vector<std::string>()>& key_text;  ///< The key's values for people.
};

using RowSink = std::function<void(const Row&)>;

}  // namespace firn::verify
