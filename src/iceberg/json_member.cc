#include "iceberg/json_member.h"

namespace firn::iceberg {
namespace {

constexpr int kNestingMax = 256;

/// The parser itself does not recurse, but what uses its result does.
bool NestsTooDeep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kNestingMax) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

}  // namespace

Result<Json> ParseJson(std::string_view text) {
  if (NestsTooDeep(text)) return MakeError(ErrorKind::kCorrupt, "JSON nested deeper than {} levels", kNestingMax);
  Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return MakeError(ErrorKind::kCorrupt, "{} bytes that are not JSON", text.size());
  return value;
}

std::string DumpJson(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace firn::iceberg
