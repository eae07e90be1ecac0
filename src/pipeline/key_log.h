// The form in which keys of changed rows are kept on disk: a line of JSON, the keys, and a checksum of all that.
//
//   {"from":"0/1000","until":"0/2000","parts":0,"keys":2,"bytes":400}\n
//   key: length (4 bytes) + bytes | SQL: the same | key | … | CRC-32
//
// Integers are little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "firn/result.h"
#include "model/lsn.h"
#include "pipeline/changed_keys.h"

namespace firn::pipeline {

struct KeyLogHead {
  /// Transactions whose commit record starts in [from, until).
  Lsn from;
  Lsn until;      ///< Of a part: nothing. What it belongs to ends with a log that is none.
  int parts = 0;  ///< Logs with some of the keys, beside this one; of a part its own number.
  size_t keys = 0;
  size_t bytes = 0;  ///< ChangedKeys::bytes
};

struct KeyLog {
  KeyLogHead head;
  /// Each key and its SQL; within what was decoded.
  std::vector<std::pair<std::string_view, std::string_view>> keys;
};

/// Fills in the head's `keys` and `bytes`.
std::string EncodeKeyLog(KeyLogHead head, const ChangedKeys& keys);
/// kCorrupt for what EncodeKeyLog has not made, or a part of it.
Result<KeyLog> DecodeKeyLog(std::string_view log);

}  // namespace firn::pipeline
