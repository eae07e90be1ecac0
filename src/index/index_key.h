// What the index's RocksDB holds. Integers are big-endian.
//
//   rows, kUnique       generation(4) key                               → file(4) row(4)
//   rows, kDuplicates   generation(4) key size(4) key file(4) row(4)    → nothing
//   generation 0        'V'                                             → format version
//                       'B'                                             → boot id of the machine that wrote last
//                       'T' table id                                    → generation(4) state(1) state's argument
//                       'F' generation(4) file(4)                       → location
//                       'L' generation(4) location                      → file(4)
//
// A generation's lowest bit is its KeyKind (0 unique, 1 duplicates), so that a row's key shows by itself how it is laid
// out: the prefix bloom filter needs that. The size before a duplicate's key makes "all rows with this key" one exact
// prefix. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "index/table_index.h"

namespace firn::index {

using Generation = uint32_t;
inline constexpr Generation kMetaGeneration = 0;
inline constexpr Generation kFirstGeneration = 2;
inline constexpr size_t kGenerationBytes = 4;
inline constexpr size_t kPositionBytes = 8;

inline bool HoldsDuplicates(Generation generation) { return (generation & 1) != 0; }

inline void AppendUint32(std::string& out, uint32_t value) {
  const char bytes[4] = {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
                         static_cast<char>(value)};
  out.append(bytes, 4);
}
inline uint32_t ReadUint32(const char* bytes) {
  const auto* b = reinterpret_cast<const unsigned char*>(bytes);
  return uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | uint32_t{b[3]};
}

inline void AppendPosition(std::string& out, RowPosition position) {
  AppendUint32(out, position.file);
  AppendUint32(out, position.row);
}
inline RowPosition ReadPosition(const char* bytes) {
  return RowPosition{.file = ReadUint32(bytes), .row = ReadUint32(bytes + 4)};
}

/// What all database keys of `key`'s rows start with; for kUnique it is the whole database key.
inline void AppendRowPrefix(std::string& out, Generation generation, std::string_view key) {
  AppendUint32(out, generation);
  if (HoldsDuplicates(generation)) AppendUint32(out, static_cast<uint32_t>(key.size()));
  out.append(key);
}

/// All keys that begin with `prefix` are below this one. `prefix` has a byte other than 0xFF.
inline std::string AfterPrefix(std::string prefix) {
  while (static_cast<unsigned char>(prefix.back()) == 0xFF) prefix.pop_back();
  ++prefix.back();
  return prefix;
}

inline std::string GenerationPrefix(Generation generation) {
  std::string out;
  AppendUint32(out, generation);
  return out;
}
inline std::string MetaKey(char kind) {
  std::string out = GenerationPrefix(kMetaGeneration);
  out.push_back(kind);
  return out;
}
inline std::string VersionKey() { return MetaKey('V'); }
inline std::string BootIdKey() { return MetaKey('B'); }
inline std::string TableKey(std::string_view table_id) { return MetaKey('T').append(table_id); }
inline std::string FilesPrefix(Generation generation) {
  std::string out = MetaKey('F');
  AppendUint32(out, generation);
  return out;
}
inline std::string FileKey(Generation generation, uint32_t file) {
  std::string out = FilesPrefix(generation);
  AppendUint32(out, file);
  return out;
}
inline std::string LocationsPrefix(Generation generation) {
  std::string out = MetaKey('L');
  AppendUint32(out, generation);
  return out;
}
inline std::string LocationKey(Generation generation, std::string_view location) {
  return LocationsPrefix(generation).append(location);
}

}  // namespace firn::index
