// pgoutput messages, written as the protocol's documentation lays them out ("Logical Replication Message Formats").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace firn::testing::pgoutput {

inline std::string Int(uint64_t value, int bytes) {
  std::string text;
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) text.push_back(static_cast<char>(value >> shift));
  return text;
}

/// A value of a tuple, by its letter: 'n' NULL, 'u' unchanged and not sent, 't' text.
struct Cell {
  char letter = 'n';
  std::string text = {};
};
using Row = std::vector<Cell>;

inline std::string Tuple(const Row& row) {
  std::string bytes = Int(row.size(), 2);
  for (const Cell& cell : row) {
    bytes += cell.letter;
    if (cell.letter == 't') bytes += Int(cell.text.size(), 4) + cell.text;
  }
  return bytes;
}

/// A message as it is in a stream block: behind its letter stands the xid of the (sub)transaction.
inline std::string InStream(const std::string& message, uint32_t xid) {
  return message.substr(0, 1) + Int(xid, 4) + message.substr(1);
}

inline std::string Begin(uint64_t commit_lsn, uint32_t xid) {
  return "B" + Int(commit_lsn, 8) + Int(0, 8) + Int(xid, 4);
}
inline std::string Commit(uint64_t commit_lsn, uint64_t end_lsn) {
  return "C" + Int(0, 1) + Int(commit_lsn, 8) + Int(end_lsn, 8) + Int(0, 8);
}
inline std::string StreamStart(uint32_t xid, bool first) { return "S" + Int(xid, 4) + Int(first, 1); }
inline std::string StreamStop() { return "E"; }
inline std::string StreamCommit(uint32_t xid, uint64_t commit_lsn, uint64_t end_lsn) {
  return "c" + Int(xid, 4) + Int(0, 1) + Int(commit_lsn, 8) + Int(end_lsn, 8) + Int(0, 8);
}
inline std::string StreamAbort(uint32_t xid, uint32_t subtransaction) {
  return "A" + Int(xid, 4) + Int(subtransaction, 4);
}

struct Column {
  std::string name;
  uint32_t type_oid = 0;
  bool is_key = false;
};

inline std::string Relation(uint32_t oid, const std::string& schema, const std::string& name, char replica_identity,
                            const std::vector<Column>& columns) {
  std::string bytes = "R" + Int(oid, 4) + schema + '\0' + name + '\0' + replica_identity + Int(columns.size(), 2);
  for (const Column& column : columns) {
    bytes += Int(column.is_key ? 1 : 0, 1) + column.name + '\0' + Int(column.type_oid, 4) + Int(UINT32_MAX, 4);
  }
  return bytes;
}

inline std::string Insert(uint32_t oid, const Row& row) { return "I" + Int(oid, 4) + "N" + Tuple(row); }
inline std::string Update(uint32_t oid, const Row& row) { return "U" + Int(oid, 4) + "N" + Tuple(row); }
/// `old_kind`: 'K' for its key, 'O' for the whole row.
inline std::string Update(uint32_t oid, char old_kind, const Row& old_row, const Row& row) {
  return "U" + Int(oid, 4) + old_kind + Tuple(old_row) + "N" + Tuple(row);
}
inline std::string Delete(uint32_t oid, char old_kind, const Row& old_row) {
  return "D" + Int(oid, 4) + old_kind + Tuple(old_row);
}
inline std::string Truncate(const std::vector<uint32_t>& oids) {
  std::string bytes = "T" + Int(oids.size(), 4) + Int(0, 1);
  for (const uint32_t oid : oids) bytes += Int(oid, 4);
  return bytes;
}

}  // namespace firn::testing::pgoutput
