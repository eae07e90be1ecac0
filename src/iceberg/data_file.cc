#include "iceberg/data_file.h"

#include <cmath>

#include "iceberg/reserved_fields.h"
#include "iceberg/single_value.h"

namespace firn::iceberg {
namespace {

/// Orders big-endian two's complement numbers of the fewest bytes.
bool DecimalLess(std::string_view a, std::string_view b) {
  const auto negative = [](std::string_view number) { return !number.empty() && (number[0] & 0x80) != 0; };
  if (negative(a) != negative(b)) return negative(a);
  if (a.size() != b.size()) return negative(a) ? a.size() > b.size() : a.size() < b.size();
  return a < b;
}

/// As Java's UUID does: the halves as signed numbers. Its readers leave out manifests by bounds in that order; others
/// by bounds in the order of the bytes, which is the same within a manifest (manifest_groups).
bool UuidLess(std::string a, std::string b) {
  for (std::string* uuid : {&a, &b}) {
    for (const size_t half : {0, 8}) uuid->at(half) = static_cast<char>(uuid->at(half) ^ 0x80);
  }
  return a < b;  // unsigned bytes
}

/// As Java's comparison of numbers does: -0 before 0.
bool FloatLess(double a, double b) { return a < b || (a == b && std::signbit(a) && !std::signbit(b)); }

}  // namespace

std::optional<std::string_view> ReferencedDataFile(const DataFile& file) {
  if (file.content != FileContent::kPositionDeletes) return std::nullopt;
  if (file.referenced_data_file) return *file.referenced_data_file;
  auto lower = file.lower_bounds.find(kDeletePathFieldId);
  auto upper = file.upper_bounds.find(kDeletePathFieldId);
  if (lower == file.lower_bounds.end() || upper == file.upper_bounds.end()) return std::nullopt;
  if (lower->second != upper->second) return std::nullopt;
  return lower->second;
}

bool IsDeletionVector(const DataFile& file) {
  return file.content == FileContent::kPositionDeletes && file.file_format == "PUFFIN";
}

std::string PartitionKey(int32_t spec_id, const PartitionValues& partition) {
  std::string key = fmt::format("{}", spec_id);
  for (const Literal& value : partition) {
    // An int that became a long (schema evolution) is the same value.
    const auto* narrow = std::get_if<int32_t>(&value);
    const auto bytes = SingleValue(narrow != nullptr ? Literal(int64_t{*narrow}) : value);
    if (bytes) {
      key += fmt::format("/{}:", bytes->size());
      key += *bytes;
    } else {
      key += "/null";
    }
  }
  return key;
}

bool LiteralLess(const Type& type, const Literal& a, const Literal& b) {
  if (type.id == TypeId::kDecimal) return DecimalLess(std::get<std::string>(a), std::get<std::string>(b));
  if (type.id == TypeId::kUuid) return UuidLess(std::get<std::string>(a), std::get<std::string>(b));
  if (type.id == TypeId::kFloat) return FloatLess(std::get<float>(a), std::get<float>(b));
  if (type.id == TypeId::kDouble) return FloatLess(std::get<double>(a), std::get<double>(b));
  return a < b;
}

}  // namespace firn::iceberg
