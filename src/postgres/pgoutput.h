// pgoutput messages (PostgreSQL: "Logical Replication Message Formats", protocol versions 1 to 4): bytes in, borrowed
// views out. Pure: no I/O, no allocation per message beyond the parser's reused scratch.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "firn/result.h"
#include "model/lsn.h"
#include "model/source_table.h"
#include "model/wire_value.h"

namespace firn::postgres {

using Xid = uint32_t;
using Tuple = std::span<const WireValue>;

struct BeginMessage {
  Lsn commit_lsn;
  int64_t committed_at_us = 0;
  Xid xid = 0;
};  ///< commit_lsn: start of the commit record ("final LSN")
struct CommitMessage {
  Lsn commit_lsn;
  Lsn end_lsn;
  int64_t committed_at_us = 0;
};
struct OriginMessage {
  Lsn commit_lsn;
  std::string_view name;
};
struct RelationColumn {
  bool is_key = false;
  std::string_view name;
  TypeOid type_oid = 0;
  int32_t type_modifier = -1;
};
struct RelationMessage {
  TableOid oid;
  std::string_view schema;
  std::string_view name;
  ReplicaIdentity replica_identity = ReplicaIdentity::kDefault;
  std::span<const RelationColumn> columns;
};
struct TypeMessage {
  TypeOid oid = 0;
  std::string_view schema;
  std::string_view name;
};
struct InsertMessage {
  TableOid oid;
  Tuple new_row;
};
/// Old row: the key columns only (others NULL) for old_is_key, the whole row for REPLICA IDENTITY FULL.
struct UpdateMessage {
  TableOid oid;
  std::optional<Tuple> old_row;
  bool old_is_key = false;
  Tuple new_row;
};
struct DeleteMessage {
  TableOid oid;
  Tuple old_row;
  bool old_is_key = false;
};
struct TruncateMessage {
  std::span<const TableOid> oids;
  bool cascade = false;
  bool restart_identity = false;
};
struct LogicalMessage {
  bool transactional = false;
  Lsn lsn;
  std::string_view prefix;
  std::string_view content;
};
struct StreamStartMessage {
  Xid xid = 0;
  bool first_segment = false;
};
struct StreamStopMessage {};
struct StreamCommitMessage {
  Xid xid = 0;
  Lsn commit_lsn;
  Lsn end_lsn;
  int64_t committed_at_us = 0;
};
struct StreamAbortMessage {
  Xid xid = 0;
  Xid subtransaction_xid = 0;
};

using MessageBody = std::variant<BeginMessage, CommitMessage, OriginMessage, RelationMessage, TypeMessage,
                                 InsertMessage, UpdateMessage, DeleteMessage, TruncateMessage, LogicalMessage,
                                 StreamStartMessage, StreamStopMessage, StreamCommitMessage, StreamAbortMessage>;

struct Message {
  /// Inside a stream block (protocol 2+): the (sub)transaction that made the change. Else 0.
  Xid xid = 0;
  size_t bytes = 0;  ///< Of its payload.
  MessageBody body;
};

/// Views in a Message live as long as its payload and until the next Parse. Single-threaded.
class PgoutputParser {
 public:
  /// `in_stream`: between Stream Start and Stream Stop, where messages carry an xid. kCorrupt says which message and
  /// byte; kUnsupported for a message letter that firn does not know.
  Result<Message> Parse(std::string_view payload, bool in_stream);

 private:
  std::vector<WireValue> old_values_;
  std::vector<WireValue> new_values_;
  std::vector<RelationColumn> columns_;
  std::vector<TableOid> oids_;
};

}  // namespace firn::postgres
