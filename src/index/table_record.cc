#include "index/table_record.h"

#include <cassert>

namespace firn::index {

std::string EncodeTableRecord(const TableRecord& record) {
  assert(record.state.snapshot_id.has_value() != record.state.changing_commit_id.has_value());
  std::string out = GenerationPrefix(record.generation);
  if (record.state.changing_commit_id.has_value()) {
    out.push_back(record.state.is_whole ? 'w' : 'm');
    out.append(*record.state.changing_commit_id);
  } else {
    out.push_back('c');
    const auto snapshot_id = static_cast<uint64_t>(*record.state.snapshot_id);
    AppendUint32(out, static_cast<uint32_t>(snapshot_id >> 32));
    AppendUint32(out, static_cast<uint32_t>(snapshot_id));
  }
  return out;
}

Result<TableRecord> DecodeTableRecord(std::string_view bytes) {
  constexpr size_t kStateAt = kGenerationBytes;
  constexpr size_t kArgumentAt = kStateAt + 1;
  if (bytes.size() < kArgumentAt) return MakeError(ErrorKind::kCorrupt, "a table record of {} bytes", bytes.size());
  TableRecord record{.generation = ReadUint32(bytes.data())};
  const std::string_view argument = bytes.substr(kArgumentAt);
  if (bytes[kStateAt] == 'm' || bytes[kStateAt] == 'w') {
    record.state.changing_commit_id = std::string(argument);
    record.state.is_whole = bytes[kStateAt] == 'w';
  } else if (bytes[kStateAt] == 'c' && argument.size() == 8) {
    record.state.snapshot_id =
        static_cast<int64_t>(uint64_t{ReadUint32(argument.data())} << 32 | ReadUint32(argument.data() + 4));
  } else {
    return MakeError(ErrorKind::kCorrupt, "a table record of an unknown form");
  }
  return record;
}

}  // namespace firn::index
