#include "pipeline/source_definition.h"

#include <fmt/format.h>

#include <charconv>

#include "base/try.h"

namespace firn::pipeline {
namespace {

template <typename Pairs>
std::string FormatPairs(const Pairs& pairs) {
  std::string text;
  for (const auto& [key, value] : pairs) text += fmt::format("{}{}:{}", text.empty() ? "" : ",", key, value);
  return text;
}

std::string PropertyOf(const iceberg::TableMetadata& metadata, const char* key) {
  auto position = metadata.properties.find(key);
  return position == metadata.properties.end() ? std::string() : position->second;
}

template <typename Key, typename Value>
Status ParsePairs(const iceberg::TableMetadata& metadata, const char* property,
                  std::vector<std::pair<Key, Value>>& pairs) {
  const std::string text = PropertyOf(metadata, property);
  const char* end = text.data() + text.size();
  for (const char* at = text.data(); at < end;) {
    std::pair<Key, Value> pair;
    const auto key = std::from_chars(at, end, pair.first);
    bool good = key.ec == std::errc() && key.ptr != end && *key.ptr == ':';
    if (good) {
      const auto value = std::from_chars(key.ptr + 1, end, pair.second);
      good = value.ec == std::errc() && (value.ptr == end || *value.ptr == ',');
      at = value.ptr == end ? end : value.ptr + 1;
    }
    if (!good) {
      return MakeError(ErrorKind::kCorrupt, "table property {} is '{}', not a list of numbers a:b", property, text);
    }
    pairs.push_back(pair);
  }
  return {};
}

std::string FormatKey(const SourceTable& source) {
  std::string key(1, static_cast<char>(source.replica_identity));
  for (const int column : source.key_columns) {
    key += fmt::format("{}{}", key.size() == 1 ? ":" : ",", source.columns.at(static_cast<size_t>(column)).attnum);
  }
  return key;
}

AttnumToXmin XminsOf(const SourceTable& source) {
  AttnumToXmin xmins;
  for (const AttributeVersion& attribute : source.version.attributes) {
    xmins.emplace_back(attribute.attnum, attribute.xmin);
  }
  return xmins;
}

/// An invalid one where there is no such property.
Result<Lsn> ParseLsn(const iceberg::TableMetadata& metadata, const char* property) {
  const std::string text = PropertyOf(metadata, property);
  if (text.empty()) return Lsn{};
  return Lsn::Parse(text).Context("table property {}", property);
}

}  // namespace

Result<StoredDefinition> ReadStoredDefinition(const iceberg::TableMetadata& metadata) {
  StoredDefinition stored{.table = PropertyOf(metadata, kSourceTableProperty)};
  const std::string oid = PropertyOf(metadata, kSourceOidProperty);
  std::from_chars(oid.data(), oid.data() + oid.size(), stored.oid.value);
  TRY_VOID(ParsePairs(metadata, kSourceColumnsProperty, stored.columns));
  TRY_VOID(ParsePairs(metadata, kSourceDroppedProperty, stored.dropped));
  stored.key = PropertyOf(metadata, kSourceKeyProperty);
  TRY_VOID(ParsePairs(metadata, kSourceAttributesProperty, stored.attributes));
  TRY_VOID(ParsePairs(metadata, kSourceFilesProperty, stored.files));
  TRY_VOID(ParsePairs(metadata, kSourceTypesProperty, stored.type_parts));
  stored.membership = PropertyOf(metadata, kSourcePublicationProperty);
  TRY(stored.read_at, ParseLsn(metadata, kSourceLsnProperty));
  TRY_VOID(ParsePairs(metadata, kSourceBeforeAttributesProperty, stored.before_attributes));
  TRY(stored.before_read_at, ParseLsn(metadata, kSourceBeforeLsnProperty));
  return stored;
}

iceberg::Properties DefinitionProperties(const SourceTable& source, const AttnumToField& columns,
                                         const AttnumToField& dropped) {
  std::vector<std::pair<uint32_t, uint32_t>> files;
  for (const TableHeap& heap : source.version.heaps) files.emplace_back(heap.oid.value, heap.file);
  std::vector<std::pair<uint32_t, uint32_t>> type_parts;
  for (const TypePart& part : source.version.type_parts) type_parts.emplace_back(part.oid, part.hash);
  iceberg::Properties properties{
      {kSourceTableProperty, ToString(source.name)},
      {kSourceOidProperty, fmt::to_string(source.oid.value)},
      {kSourceColumnsProperty, FormatPairs(columns)},
      {kSourceDroppedProperty, FormatPairs(dropped)},
      {kSourceKeyProperty, FormatKey(source)},
      {kSourceAttributesProperty, FormatPairs(XminsOf(source))},
      {kSourceFilesProperty, FormatPairs(files)},
      {kSourceTypesProperty, FormatPairs(type_parts)},
      {kSourceLsnProperty, ToString(source.version.read_at)},
  };
  if (!source.version.membership.empty()) properties.emplace(kSourcePublicationProperty, source.version.membership);
  return properties;
}

bool IsAltered(const StoredDefinition& stored, const SourceTable& source) {
  if (stored.oid != source.oid) return true;
  return (!stored.key.empty() && stored.key != FormatKey(source)) ||
         (!stored.attributes.empty() && stored.attributes != XminsOf(source));
}

bool HasGotKey(const StoredDefinition& stored, const SourceTable& source) {
  const std::string whole_rows(1, static_cast<char>(ReplicaIdentity::kFull));
  return stored.oid == source.oid && stored.key == whole_rows && source.HasReplicaIdentity() &&
         !source.key_columns.empty();
}

iceberg::Properties BeforeProperties(const AttnumToXmin& attributes, Lsn read_at) {
  return {{kSourceBeforeAttributesProperty, FormatPairs(attributes)}, {kSourceBeforeLsnProperty, ToString(read_at)}};
}

}  // namespace firn::pipeline
