#include "postgres/pgoutput.h"

#include "postgres/byte_reader.h"

namespace firn::postgres {
namespace {

std::string_view NameOf(char letter) {
  switch (letter) {
    case 'B':
      return "Begin";
    case 'C':
      return "Commit";
    case 'O':
      return "Origin";
    case 'R':
      return "Relation";
    case 'Y':
      return "Type";
    case 'I':
      return "Insert";
    case 'U':
      return "Update";
    case 'D':
      return "Delete";
    case 'T':
      return "Truncate";
    case 'M':
      return "Message";
    case 'S':
      return "Stream Start";
    case 'E':
      return "Stream Stop";
    case 'c':
      return "Stream Commit";
    case 'A':
      return "Stream Abort";
    case 'b':
      return "Begin Prepare";
    case 'P':
      return "Prepare";
    case 'K':
      return "Commit Prepared";
    case 'r':
      return "Rollback Prepared";
    case 'p':
      return "Stream Prepare";
    default:
      return "";
  }
}

/// Those that carry the xid of their (sub)transaction inside a stream block.
bool HasXidInStream(char letter) {
  return letter == 'R' || letter == 'Y' || letter == 'I' || letter == 'U' || letter == 'D' || letter == 'T' ||
         letter == 'M';
}

/// A fixed letter of the format.
void Expect(ByteReader& reader, char wanted) {
  if (reader.Letter() != wanted) reader.Fail();
}

// TupleData: Int16 columns, each 'n' | 'u' | ('t' or 'b') Int32 size, bytes
Tuple ReadTuple(ByteReader& reader, std::vector<WireValue>& values) {
  const int16_t count = reader.Int16();
  if (count < 0) return reader.Fail(), Tuple();
  values.resize(static_cast<size_t>(count));
  for (WireValue& value : values) {
    const char letter = reader.Letter();
    switch (letter) {
      case 'b':
      case 't': {
        const std::string_view bytes = reader.Bytes(reader.Int32());
        value = {.data = bytes.data(),
                 .size = static_cast<int32_t>(bytes.size()),
                 .format = static_cast<WireFormat>(letter)};
        break;
      }
      case 'n':
      case 'u':
        value = {.format = static_cast<WireFormat>(letter)};
        break;
      default:
        reader.Fail();
    }
    if (!reader.ok()) [[unlikely]]
      return {};
  }
  return values;
}

// Byte1('B') | Int64 final LSN | Int64 commit time | Int32 xid
BeginMessage ReadBegin(ByteReader& reader) {
  return {.commit_lsn = {reader.Uint64()}, .committed_at_us = reader.Int64(), .xid = reader.Uint32()};
}

// Byte1('C') | Int8 flags, unused | Int64 commit LSN | Int64 end LSN | Int64 commit time
CommitMessage ReadCommit(ByteReader& reader) {
  reader.Byte();
  return {.commit_lsn = {reader.Uint64()}, .end_lsn = {reader.Uint64()}, .committed_at_us = reader.Int64()};
}

// Byte1('O') | Int64 commit LSN at the origin | String name
OriginMessage ReadOrigin(ByteReader& reader) { return {.commit_lsn = {reader.Uint64()}, .name = reader.CString()}; }

// Byte1('R') | Int32 oid | String schema ("" is pg_catalog) | String name | Int8 replica identity | Int16 columns,
//   each Int8 flags (1: part of the key) | String name | Int32 type | Int32 type modifier
RelationMessage ReadRelation(ByteReader& reader, std::vector<RelationColumn>& columns) {
  RelationMessage relation{.oid = {reader.Uint32()}, .schema = reader.CString(), .name = reader.CString()};
  if (reader.ok() && relation.schema.empty()) relation.schema = "pg_catalog";
  const char identity = reader.Letter();
  if (identity != 'd' && identity != 'n' && identity != 'f' && identity != 'i') reader.Fail();
  relation.replica_identity = static_cast<ReplicaIdentity>(identity);
  const int16_t count = reader.Int16();
  if (count < 0) reader.Fail();
  columns.clear();
  for (int16_t i = 0; i < count && reader.ok(); ++i) {
    const uint8_t flags = reader.Byte();
    const std::string_view name = reader.CString();
    const TypeOid type = reader.Uint32();
    columns.push_back({.is_key = (flags & 1) != 0, .name = name, .type_oid = type, .type_modifier = reader.Int32()});
  }
  relation.columns = columns;
  return relation;
}

// Byte1('Y') | Int32 oid | String schema ("" is pg_catalog) | String name
TypeMessage ReadType(ByteReader& reader) {
  TypeMessage type{.oid = reader.Uint32(), .schema = reader.CString(), .name = reader.CString()};
  if (reader.ok() && type.schema.empty()) type.schema = "pg_catalog";
  return type;
}

// Byte1('I') | Int32 relation | Byte1('N') | TupleData
InsertMessage ReadInsert(ByteReader& reader, std::vector<WireValue>& new_values) {
  InsertMessage insert{.oid = {reader.Uint32()}};
  Expect(reader, 'N');
  insert.new_row = ReadTuple(reader, new_values);
  return insert;
}

// Byte1('U') | Int32 relation | [Byte1('K' or 'O') | TupleData] | Byte1('N') | TupleData
UpdateMessage ReadUpdate(ByteReader& reader, std::vector<WireValue>& old_values, std::vector<WireValue>& new_values) {
  UpdateMessage update{.oid = {reader.Uint32()}};
  char letter = reader.Letter();
  if (letter == 'K' || letter == 'O') {
    update.old_is_key = letter == 'K';
    update.old_row = ReadTuple(reader, old_values);
    letter = reader.Letter();
  }
  if (letter != 'N') reader.Fail();
  update.new_row = ReadTuple(reader, new_values);
  return update;
}

// Byte1('D') | Int32 relation | Byte1('K' or 'O') | TupleData
DeleteMessage ReadDelete(ByteReader& reader, std::vector<WireValue>& old_values) {
  DeleteMessage deleted{.oid = {reader.Uint32()}};
  const char letter = reader.Letter();
  if (letter != 'K' && letter != 'O') reader.Fail();
  deleted.old_is_key = letter == 'K';
  deleted.old_row = ReadTuple(reader, old_values);
  return deleted;
}

// Byte1('T') | Int32 relations | Int8 options (1: CASCADE, 2: RESTART IDENTITY) | Int32 oid each
TruncateMessage ReadTruncate(ByteReader& reader, std::vector<TableOid>& oids) {
  const int32_t count = reader.Int32();
  const uint8_t options = reader.Byte();
  if (count < 0) reader.Fail();
  oids.clear();
  for (int32_t i = 0; i < count && reader.ok(); ++i) oids.push_back({reader.Uint32()});
  return {.oids = oids, .cascade = (options & 1) != 0, .restart_identity = (options & 2) != 0};
}

// Byte1('M') | Int8 flags (1: transactional) | Int64 LSN | String prefix | Int32 size | bytes
LogicalMessage ReadLogicalMessage(ByteReader& reader) {
  const uint8_t flags = reader.Byte();
  LogicalMessage message{.transactional = (flags & 1) != 0, .lsn = {reader.Uint64()}, .prefix = reader.CString()};
  message.content = reader.Bytes(reader.Int32());
  return message;
}

// Byte1('S') | Int32 xid | Int8 1 in the transaction's first segment
StreamStartMessage ReadStreamStart(ByteReader& reader) {
  return {.xid = reader.Uint32(), .first_segment = reader.Byte() != 0};
}

// Byte1('c') | Int32 xid | Int8 flags, unused | Int64 commit LSN | Int64 end LSN | Int64 commit time
StreamCommitMessage ReadStreamCommit(ByteReader& reader) {
  StreamCommitMessage commit{.xid = reader.Uint32()};
  reader.Byte();
  commit.commit_lsn = {reader.Uint64()};
  commit.end_lsn = {reader.Uint64()};
  commit.committed_at_us = reader.Int64();
  return commit;
}

// Byte1('A') | Int32 xid | Int32 subtransaction's xid | with streaming 'parallel': Int64 abort LSN | Int64 abort time
StreamAbortMessage ReadStreamAbort(ByteReader& reader) {
  const StreamAbortMessage abort{.xid = reader.Uint32(), .subtransaction_xid = reader.Uint32()};
  if (reader.remaining() > 0) reader.Bytes(16);
  return abort;
}

}  // namespace

Result<Message> PgoutputParser::Parse(std::string_view payload, bool in_stream) {
  ByteReader reader(payload);
  const char letter = reader.Letter();
  Message message{.bytes = payload.size()};
  if (in_stream && HasXidInStream(letter)) message.xid = reader.Uint32();
  switch (letter) {
    case 'I':
      message.body = ReadInsert(reader, new_values_);
      break;
    case 'U':
      message.body = ReadUpdate(reader, old_values_, new_values_);
      break;
    case 'D':
      message.body = ReadDelete(reader, old_values_);
      break;
    case 'B':
      message.body = ReadBegin(reader);
      break;
    case 'C':
      message.body = ReadCommit(reader);
      break;
    case 'O':
      message.body = ReadOrigin(reader);
      break;
    case 'R':
      message.body = ReadRelation(reader, columns_);
      break;
    case 'Y':
      message.body = ReadType(reader);
      break;
    case 'T':
      message.body = ReadTruncate(reader, oids_);
      break;
    case 'M':
      message.body = ReadLogicalMessage(reader);
      break;
    case 'S':
      message.body = ReadStreamStart(reader);
      break;
    case 'E':
      message.body = StreamStopMessage{};
      break;
    case 'c':
      message.body = ReadStreamCommit(reader);
      break;
    case 'A':
      message.body = ReadStreamAbort(reader);
      break;
    case 'b':
    case 'P':
    case 'K':
    case 'r':
    case 'p':
      return MakeError(
          ErrorKind::kUnsupported, ErrorOrigin::kSource,
          "pgoutput {} message: the replication slot was made for two-phase commit; firn needs a slot that "
          "it made itself: drop this one or name another in source.slot",
          NameOf(letter));
    default:
      if (!reader.ok()) break;
      return MakeError(ErrorKind::kUnsupported, ErrorOrigin::kSource, "pgoutput message 0x{:02x}: unknown to firn",
                       static_cast<unsigned char>(letter));
  }
  if (!reader.ok() || reader.remaining() != 0) [[unlikely]] {
    return MakeError(ErrorKind::kCorrupt, ErrorOrigin::kSource, "pgoutput {} message, byte {} of {}: {}",
                     payload.empty() ? "empty" : NameOf(letter), reader.offset(), payload.size(),
                     reader.ok() ? "bytes are left over" : "ends too early or has a letter that does not belong there");
  }
  return message;
}

}  // namespace firn::postgres
