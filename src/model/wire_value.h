// One column's value as it arrives from PostgreSQL, borrowed from the buffer of the message that holds it.
#pragma once

#include <cstdint>
#include <string_view>

namespace firn {

/// The letters are pgoutput's own (Logical Replication Message Formats, TupleData).
enum class WireFormat : char {
  kNull = 'n',
  kUnchangedToast = 'u',  ///< The old row's value stays; never to be written as NULL.
  kText = 't',
  kBinary = 'b',
};

struct WireValue {
  const char* data = nullptr;
  int32_t size = 0;
  WireFormat format = WireFormat::kNull;

  std::string_view bytes() const { return {data, static_cast<size_t>(size)}; }
};

}  // namespace firn
