#include "encode/value_policy.h"

#include <utility>

namespace firn::encode {
namespace {

constexpr std::pair<ValuePolicy, std::string_view> kNames[] = {{ValuePolicy::kError, "error"},
                                                               {ValuePolicy::kClamp, "clamp"},
                                                               {ValuePolicy::kNull, "null"},
                                                               {ValuePolicy::kString, "string"}};

}  // namespace

std::string_view ToString(ValuePolicy policy) {
  for (const auto& [named, name] : kNames) {
    if (named == policy) return name;
  }
  return "error";
}

Result<ValuePolicy> ParseValuePolicy(std::string_view text) {
  for (const auto& [policy, name] : kNames) {
    if (name == text) return policy;
  }
  return MakeError(ErrorKind::kInvalidConfig,
                   "'{}' is not a policy for values that Iceberg can't hold; use error, "
                   "clamp, null or string",
                   text);
}

}  // namespace firn::encode
