#include "iceberg/variant_value.h"

#include <algorithm>
#include <optional>

#include "base/try.h"

namespace firn::iceberg {
namespace {

Error Malformed(std::string_view what) { return MakeError(ErrorKind::kCorrupt, "a variant {}", what); }

/// Reads little-endian numbers off the front of a value.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : rest_(bytes) {}

  Result<uint32_t> Number(size_t size) {
    TRY(const std::string_view bytes, Bytes(size));
    uint32_t number = 0;
    for (size_t i = 0; i < size; ++i) number |= uint32_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
    return number;
  }
  Result<std::string_view> Bytes(size_t size) {
    if (size > rest_.size()) return Malformed("that ends early");
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

/// The offsets of `count` things of `size` bytes each, and one behind the last.
Result<std::vector<uint32_t>> Offsets(Cursor& cursor, size_t count, size_t size) {
  if (count + 1 > cursor.rest().size() / size) return Malformed("with more items than bytes");
  std::vector<uint32_t> offsets;
  offsets.reserve(count + 1);
  for (size_t i = 0; i <= count; ++i) {
    TRY(offsets.emplace_back(), cursor.Number(size));
  }
  return offsets;
}

uint8_t HeaderOf(std::string_view value) { return static_cast<uint8_t>(value[0]) >> 2; }

/// The size of a primitive's content; nothing for strings and binaries, which have a length before them.
Result<std::optional<size_t>> ContentSize(VariantPrimitive type) {
  switch (type) {
    case VariantPrimitive::kNull:
    case VariantPrimitive::kTrue:
    case VariantPrimitive::kFalse:
      return 0;
    case VariantPrimitive::kInt8:
      return 1;
    case VariantPrimitive::kInt16:
      return 2;
    case VariantPrimitive::kInt32:
    case VariantPrimitive::kDate:
    case VariantPrimitive::kFloat:
      return 4;
    case VariantPrimitive::kInt64:
    case VariantPrimitive::kDouble:
    case VariantPrimitive::kTimestamp:
    case VariantPrimitive::kTimestampTz:
    case VariantPrimitive::kTime:
    case VariantPrimitive::kTimestampNs:
    case VariantPrimitive::kTimestampTzNs:
      return 8;
    case VariantPrimitive::kDecimal4:  // The scale first.
      return 5;
    case VariantPrimitive::kDecimal8:
      return 9;
    case VariantPrimitive::kDecimal16:
      return 17;
    case VariantPrimitive::kUuid:
      return 16;
    case VariantPrimitive::kBinary:
    case VariantPrimitive::kString:
      return std::nullopt;
  }
  return MakeError(ErrorKind::kUnsupported, "a variant of the primitive type {}, which firn doesn't know",
                   static_cast<int>(type));
}

/// What stands before an object's or array's values.
struct Container {
  std::vector<uint32_t> ids;  ///< Of an object.
  std::vector<uint32_t> offsets;
  std::string_view values;
  size_t values_begin = 0;  ///< In the value.
};

Result<Container> ParseContainer(std::string_view value) {
  const bool is_object = KindOfVariant(value) == VariantKind::kObject;
  const uint8_t header = HeaderOf(value);
  const bool large = (header >> (is_object ? 4 : 2) & 1) != 0;
  const size_t offset_size = (header & 3) + 1;
  const size_t id_size = (header >> 2 & 3) + 1;
  Cursor cursor(value.substr(1));
  Container container;
  TRY(const uint32_t count, cursor.Number(large ? 4 : 1));
  if (is_object) {
    if (count > cursor.rest().size() / id_size) return Malformed("with more items than bytes");
    for (uint32_t i = 0; i < count; ++i) {
      TRY(container.ids.emplace_back(), cursor.Number(id_size));
    }
  }
  TRY(container.offsets, Offsets(cursor, count, offset_size));
  container.values_begin = value.size() - cursor.rest().size();
  // An object's values may stand in any order; the last offset is their size.
  TRY(container.values, cursor.Bytes(container.offsets.back()));
  return container;
}

/// The bytes that the value at the start of `bytes` takes.
Result<size_t> SizeOf(std::string_view bytes) {
  if (bytes.empty()) return Malformed("that ends early");
  switch (KindOfVariant(bytes)) {
    case VariantKind::kShortString: {
      const size_t size = 1 + size_t{HeaderOf(bytes)};
      if (size > bytes.size()) return Malformed("that ends early");
      return size;
    }
    case VariantKind::kPrimitive: {
      TRY(const std::string_view content, PrimitiveBytes(bytes));
      return static_cast<size_t>(content.data() - bytes.data()) + content.size();
    }
    default: {
      TRY(const Container container, ParseContainer(bytes));
      return container.values_begin + container.values.size();
    }
  }
}

Result<std::string_view> ValueAt(const Container& container, size_t i) {
  if (container.offsets[i] > container.values.size()) return Malformed("whose items lie outside of it");
  const std::string_view bytes = container.values.substr(container.offsets[i]);
  TRY(const size_t size, SizeOf(bytes));
  return bytes.substr(0, size);
}

void AppendNumber(uint32_t number, size_t size, std::string& out) {
  for (size_t i = 0; i < size; ++i) out.push_back(static_cast<char>(number >> (8 * i) & 0xFF));
}

/// The bytes that a number up to `max` needs.
size_t NumberSize(size_t max) { return max < 1u << 8 ? 1 : max < 1u << 16 ? 2 : max < 1u << 24 ? 3 : 4; }

}  // namespace

Result<VariantNames> VariantNames::Parse(std::string_view metadata) {
  if (metadata.empty()) return Malformed("without metadata");
  const auto header = static_cast<uint8_t>(metadata[0]);
  if ((header & 0x0F) != 1) {
    return MakeError(ErrorKind::kUnsupported, "a variant of version {}: firn reads version 1", header & 0x0F);
  }
  const size_t size = (header >> 6) + 1;
  Cursor cursor(metadata.substr(1));
  TRY(const uint32_t count, cursor.Number(size));
  TRY(const auto offsets, Offsets(cursor, count, size));
  VariantNames names;
  for (uint32_t i = 0; i < count; ++i) {
    if (offsets[i] > offsets[i + 1] || offsets[i + 1] > cursor.rest().size()) {
      return Malformed("whose names lie outside of its metadata");
    }
    names.names_.push_back(cursor.rest().substr(offsets[i], offsets[i + 1] - offsets[i]));
    names.ids_.emplace(names.names_.back(), i);
  }
  return names;
}

Result<uint32_t> VariantNames::Find(std::string_view name) const {
  const auto found = ids_.find(name);
  if (found == ids_.end()) return Malformed("whose metadata lacks the name of a shredded field");
  return found->second;
}

VariantKind KindOfVariant(std::string_view value) {
  return static_cast<VariantKind>(static_cast<uint8_t>(value[0]) & 3);
}

Result<VariantPrimitive> PrimitiveOfVariant(std::string_view value) {
  if (value.empty() || KindOfVariant(value) != VariantKind::kPrimitive) return Malformed("that is no primitive");
  const auto type = static_cast<VariantPrimitive>(HeaderOf(value));
  TRY([[maybe_unused]] const auto size, ContentSize(type));
  return type;
}

Result<std::string_view> PrimitiveBytes(std::string_view value) {
  if (value.empty()) return Malformed("that ends early");
  Cursor cursor(value.substr(1));
  if (KindOfVariant(value) == VariantKind::kShortString) return cursor.Bytes(HeaderOf(value));
  TRY(const VariantPrimitive type, PrimitiveOfVariant(value));
  TRY(const auto fixed_size, ContentSize(type));
  if (fixed_size) return cursor.Bytes(*fixed_size);
  TRY(const uint32_t size, cursor.Number(4));
  return cursor.Bytes(size);
}

Result<std::vector<std::pair<uint32_t, std::string_view>>> ObjectFields(std::string_view value) {
  if (value.empty() || KindOfVariant(value) != VariantKind::kObject) return Malformed("that is no object");
  TRY(const Container container, ParseContainer(value));
  std::vector<std::pair<uint32_t, std::string_view>> fields;
  for (size_t i = 0; i < container.ids.size(); ++i) {
    TRY(const std::string_view field, ValueAt(container, i));
    fields.emplace_back(container.ids[i], field);
  }
  return fields;
}

Result<std::vector<std::string_view>> ArrayItems(std::string_view value) {
  if (value.empty() || KindOfVariant(value) != VariantKind::kArray) return Malformed("that is no array");
  TRY(const Container container, ParseContainer(value));
  std::vector<std::string_view> items;
  for (size_t i = 0; i + 1 < container.offsets.size(); ++i) {
    TRY(items.emplace_back(), ValueAt(container, i));
  }
  return items;
}

void AppendVariantPrimitive(VariantPrimitive type, std::string_view content, std::string& out) {
  constexpr size_t kShortStringMax = 63;
  if (type == VariantPrimitive::kString && content.size() <= kShortStringMax) {
    out.push_back(static_cast<char>(content.size() << 2 | 1));
  } else {
    out.push_back(static_cast<char>(static_cast<uint8_t>(type) << 2));
    if (type == VariantPrimitive::kString || type == VariantPrimitive::kBinary) {
      AppendNumber(static_cast<uint32_t>(content.size()), 4, out);
    }
  }
  out.append(content);
}

void AppendVariantObject(const std::vector<std::pair<uint32_t, std::string>>& fields, std::string& out) {
  size_t size = 0;
  uint32_t id_max = 0;
  for (const auto& [id, value] : fields) {
    size += value.size();
    id_max = std::max(id_max, id);
  }
  const bool large = fields.size() > UINT8_MAX;
  const size_t offset_size = NumberSize(size), id_size = NumberSize(id_max);
  const size_t header = (large ? 1u << 4 : 0u) | (id_size - 1) << 2 | (offset_size - 1);
  out.push_back(static_cast<char>(header << 2 | static_cast<uint8_t>(VariantKind::kObject)));
  AppendNumber(static_cast<uint32_t>(fields.size()), large ? 4 : 1, out);
  for (const auto& [id, value] : fields) AppendNumber(id, id_size, out);
  uint32_t offset = 0;
  for (const auto& [id, value] : fields) {
    AppendNumber(offset, offset_size, out);
    offset += static_cast<uint32_t>(value.size());
  }
  AppendNumber(offset, offset_size, out);
  for (const auto& [id, value] : fields) out.append(value);
}

void AppendVariantArray(const std::vector<std::string>& items, std::string& out) {
  size_t size = 0;
  for (const std::string& item : items) size += item.size();
  const bool large = items.size() > UINT8_MAX;
  const size_t offset_size = NumberSize(size);
  const size_t header = (large ? 1u << 2 : 0u) | (offset_size - 1);
  out.push_back(static_cast<char>(header << 2 | static_cast<uint8_t>(VariantKind::kArray)));
  AppendNumber(static_cast<uint32_t>(items.size()), large ? 4 : 1, out);
  uint32_t offset = 0;
  for (const std::string& item : items) {
    AppendNumber(offset, offset_size, out);
    offset += static_cast<uint32_t>(item.size());
  }
  AppendNumber(offset, offset_size, out);
  for (const std::string& item : items) out.append(item);
}

}  // namespace firn::iceberg
