#include "pipeline/table_request.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "base/try.h"

namespace firn::pipeline {
namespace {

constexpr std::string_view kPrefix = "firn";
constexpr int kFirstVersion = 140000;

/// What stands before the table's OID. A slot's name has no spaces.
std::string Beginning(const std::string& slot) { return fmt::format("resync {} ", slot); }

}  // namespace

Status SendCopyRequest(postgres::Connection& connection, const std::string& slot, TableOid table) {
  if (connection.server_version() < kFirstVersion) {
    return MakeError(ErrorKind::kUnsupported, ErrorOrigin::kSource,
                     "the server is PostgreSQL {}, and requests reach firn from 14 on; drop the Iceberg table in the "
                     "catalog instead, and start firn again: it is then copied anew",
                     connection.server_version() / 10000);
  }
  TRY_VOID(connection.Query("SELECT pg_logical_emit_message(true, $1, $2)",
                            {std::string(kPrefix), fmt::format("{}{}", Beginning(slot), table.value)}));
  return {};
}

std::optional<TableOid> ParseCopyRequest(const postgres::LogicalMessage& message, const std::string& slot) {
  const std::string beginning = Beginning(slot);
  if (!message.transactional || message.prefix != kPrefix || !message.content.starts_with(beginning)) {
    return std::nullopt;
  }
  const std::string_view number = message.content.substr(beginning.size());
  TableOid table;
  const auto parsed = std::from_chars(number.data(), number.data() + number.size(), table.value);
  if (parsed.ec != std::errc() || parsed.ptr != number.data() + number.size()) return std::nullopt;
  return table;
}

}  // namespace firn::pipeline
