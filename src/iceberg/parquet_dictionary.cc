#include "iceberg/parquet_dictionary.h"

#include <arrow/array.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace firn::iceberg {
namespace {

constexpr int64_t kSampleRows = 8192;
/// A sample of 8192 from half a million values holds about one repeated value in a hundred.
constexpr size_t kRepeatedPerMille = 10;

/// Adds the hash of every `stride`th value that is not null.
template <typename ValueAt>
void AddHashes(const arrow::Array& array, int64_t stride, ValueAt value_at, std::vector<size_t>& hashes) {
  for (int64_t i = 0; i < array.length(); i += stride) {
    if (array.IsValid(i)) hashes.push_back(std::hash<std::string_view>{}(value_at(i)));
  }
}

bool AddHashes(const arrow::Array& array, int64_t stride, std::vector<size_t>& hashes) {
  const arrow::DataType& type = *array.type();
  if (arrow::is_binary_like(type.id())) {
    const auto& values = static_cast<const arrow::BinaryArray&>(array);
    AddHashes(array, stride, [&](int64_t i) { return values.GetView(i); }, hashes);
    return true;
  }
  if (!arrow::is_primitive(type.id()) && !arrow::is_fixed_size_binary(type.id())) return false;
  const int width = type.byte_width();
  if (width <= 0) return false;  // booleans have no dictionary anyway
  const auto* values = array.data()->GetValues<char>(1, array.offset() * width);
  AddHashes(
      array, stride, [&](int64_t i) { return std::string_view(values + i * width, static_cast<size_t>(width)); },
      hashes);
  return true;
}

}  // namespace

bool WorthDictionary(const arrow::ArrayVector& column) {
  int64_t rows = 0;
  for (const auto& chunk : column) rows += chunk->length();
  const int64_t stride = std::max<int64_t>(1, rows / kSampleRows);
  std::vector<size_t> hashes;
  hashes.reserve(static_cast<size_t>(kSampleRows + static_cast<int64_t>(column.size())));
  for (const auto& chunk : column) {
    if (!AddHashes(*chunk, stride, hashes)) return true;
  }
  const size_t sampled = hashes.size();
  std::ranges::sort(hashes);
  const auto repeated = std::ranges::unique(hashes);
  return sampled == 0 || repeated.size() * 1000 > sampled * kRepeatedPerMille;
}

}  // namespace firn::iceberg
