// Any bytes as the header and as a row of COPY's binary format.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "postgres/table_copy_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace firn::postgres;
  static std::vector<firn::WireValue> values;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto header = ParseCopyHeader(bytes); header.has_value() && *header > size) std::abort();
  if (ParseCopyRow(bytes, values).value_or(false)) {
    size_t total = 2;  // the row is its column count, sizes and values, and nothing else
    for (const firn::WireValue& value : values) total += 4 + value.bytes().size();
    if (total != size) std::abort();
  }
  return 0;
}
