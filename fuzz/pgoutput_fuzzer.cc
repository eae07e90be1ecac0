// Any bytes as a pgoutput message: the parser must answer with a message or an error, and read nothing outside.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "postgres/pgoutput.h"

namespace {

using namespace firn;
using namespace firn::postgres;

/// Touches every borrowed byte, so that AddressSanitizer sees a view that leaves the payload.
struct Reader {
  uint64_t sum = 0;

  void Read(std::string_view text) {
    for (const char c : text) sum += static_cast<unsigned char>(c);
  }
  void Read(Tuple tuple) {
    for (const WireValue& value : tuple) Read(value.bytes());
  }
  void operator()(const OriginMessage& origin) { Read(origin.name); }
  void operator()(const RelationMessage& relation) {
    Read(relation.schema), Read(relation.name);
    for (const RelationColumn& column : relation.columns) Read(column.name);
  }
  void operator()(const TypeMessage& type) { Read(type.schema), Read(type.name); }
  void operator()(const InsertMessage& insert) { Read(insert.new_row); }
  void operator()(const UpdateMessage& update) {
    if (update.old_row) Read(*update.old_row);
    Read(update.new_row);
  }
  void operator()(const DeleteMessage& deleted) { Read(deleted.old_row); }
  void operator()(const TruncateMessage& truncate) {
    for (const TableOid oid : truncate.oids) sum += oid.value;
  }
  void operator()(const LogicalMessage& message) { Read(message.prefix), Read(message.content); }
  template <typename Fixed>
  void operator()(const Fixed&) {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static PgoutputParser parser;
  const std::string_view payload(reinterpret_cast<const char*>(data), size);
  for (const bool in_stream : {false, true}) {
    const auto message = parser.Parse(payload, in_stream);
    if (message.has_value()) {
      Reader reader;
      std::visit(reader, message->body);
    } else if (message.error().kind() != ErrorKind::kCorrupt && message.error().kind() != ErrorKind::kUnsupported) {
      std::abort();
    }
  }
  return 0;
}
