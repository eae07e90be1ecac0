// Any bytes as a variant: the first byte is the size of the metadata, which come next; the value is the rest.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/try.h"
#include "expect.h"
#include "iceberg/variant_value.h"

namespace {

using namespace firn;
using namespace firn::iceberg;

/// Reads a value to its leaves and writes it again.
Result<std::string> Copy(std::string_view value, const VariantNames& names, int depth) {
  if (value.empty() || depth > 50) return MakeError(ErrorKind::kCorrupt, "a variant without end");
  std::string copy;
  switch (KindOfVariant(value)) {
    case VariantKind::kObject: {
      TRY(const auto fields, ObjectFields(value));
      std::vector<std::pair<uint32_t, std::string>> copies;
      for (const auto& [id, field] : fields) {
        TRY(auto bytes, Copy(field, names, depth + 1));
        copies.emplace_back(id, std::move(bytes));
      }
      AppendVariantObject(copies, copy);
      return copy;
    }
    case VariantKind::kArray: {
      TRY(const auto items, ArrayItems(value));
      std::vector<std::string> copies;
      for (const std::string_view item : items) {
        TRY(copies.emplace_back(), Copy(item, names, depth + 1));
      }
      AppendVariantArray(copies, copy);
      return copy;
    }
    default: {
      TRY(const std::string_view bytes, PrimitiveBytes(value));
      return std::string(value.substr(0, static_cast<size_t>(bytes.data() - value.data()) + bytes.size()));
    }
  }
}

Status ReadAll(std::string_view bytes) {
  const size_t metadata_size = bytes.empty() ? 0 : static_cast<uint8_t>(bytes[0]);
  bytes.remove_prefix(std::min<size_t>(1, bytes.size()));
  TRY(const VariantNames names, VariantNames::Parse(bytes.substr(0, metadata_size)));
  TRY(const std::string copy, Copy(bytes.substr(std::min(metadata_size, bytes.size())), names, 0));
  TRY(const std::string again, Copy(copy, names, 0));
  fuzz::Expect(again == copy, "what is written reads as the same");
  return {};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Status done = ReadAll({reinterpret_cast<const char*>(data), size});
  if (!done.has_value()) fuzz::ExpectFaultOfInput(done.error());
  return 0;
}
