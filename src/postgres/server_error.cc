#include "postgres/server_error.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace firn::postgres {
namespace {

struct CodeKind {
  std::string_view prefix;  ///< A SQLSTATE, or its first characters.
  ErrorKind kind;
};

// The first row that matches decides, so exact codes stand before their class.
constexpr std::array kKinds = {
    CodeKind{"08", ErrorKind::kTransient},          // connection exceptions
    CodeKind{"0A000", ErrorKind::kUnsupported},     // feature_not_supported
    CodeKind{"25P03", ErrorKind::kTransient},       // idle_in_transaction_session_timeout
    CodeKind{"28", ErrorKind::kPermission},         // invalid authorization
    CodeKind{"3D000", ErrorKind::kInvalidConfig},   // the database does not exist
    CodeKind{"3F000", ErrorKind::kTableNotFound},   // the schema does not exist
    CodeKind{"40", ErrorKind::kTransient},          // serialization failure, deadlock
    CodeKind{"42501", ErrorKind::kPermission},      // insufficient_privilege
    CodeKind{"42704", ErrorKind::kNotFound},        // undefined_object
    CodeKind{"42710", ErrorKind::kAlreadyExists},   // duplicate_object
    CodeKind{"42P01", ErrorKind::kTableNotFound},   // undefined_table
    CodeKind{"42703", ErrorKind::kSchemaMismatch},  // undefined_column: altered since its catalog entry was read
    CodeKind{"53", ErrorKind::kTransient},          // insufficient resources: connections, slots, memory, disk
    CodeKind{"55006", ErrorKind::kTransient},       // object_in_use
    CodeKind{"55P03", ErrorKind::kTransient},       // lock_not_available
    CodeKind{"57", ErrorKind::kTransient},   // operator intervention: cancel, shutdown, starting up, idle time-out
    CodeKind{"58", ErrorKind::kTransient},   // system errors outside PostgreSQL
    CodeKind{"XX001", ErrorKind::kCorrupt},  // data_corrupted
    CodeKind{"XX002", ErrorKind::kCorrupt},  // index_corrupted
    CodeKind{"XX", ErrorKind::kTransient},   // "cache lookup failed" and such, mostly concurrent DDL
};

bool IsSqlState(std::string_view text) {
  return text.size() == 5 &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c) || std::isupper(c); });
}

}  // namespace

ErrorKind KindOfSqlState(std::string_view sqlstate) {
  if (sqlstate.empty()) return ErrorKind::kTransient;
  for (const auto& [prefix, kind] : kKinds) {
    if (sqlstate.starts_with(prefix)) return kind;
  }
  return ErrorKind::kInternal;
}

std::string OneLine(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\n' || c == '\r' || c == '\t';
    if (!blank) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  if (line.ends_with(' ')) line.pop_back();
  return line;
}

Error ToError(const ServerError& error) {
  std::string message = OneLine(error.message);
  if (!error.detail.empty()) message += ": " + OneLine(error.detail);
  if (!error.hint.empty()) {
    message += "; " + OneLine(error.hint);
    if (message.ends_with('.')) message.pop_back();  // Remedies of firn's own follow.
  }
  if (error.sqlstate == "55P03") message += "; pg_locks tells which session has the lock";
  if (message.empty()) message = "PostgreSQL gave no reason";
  return Error(KindOfSqlState(error.sqlstate), std::move(message), ErrorOrigin::kSource, error.sqlstate);
}

ServerError ParseConnectFailure(std::string_view text) {
  ServerError error;
  std::string kept;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    // libpq's own hint, whatever its language ("Is the server running …?"), says less than firn's remedy.
    if (line.starts_with("LOCATION:") || line.starts_with('\t')) continue;
    // "SEVERITY:  28P01: text", whatever language the severity is in.
    const size_t colon = line.find(":  ");
    if (colon != std::string_view::npos && line.size() > colon + 9 && line.substr(colon + 8, 2) == ": " &&
        IsSqlState(line.substr(colon + 3, 5))) {
      error.sqlstate = line.substr(colon + 3, 5);
      kept = line.substr(colon + 10);
    } else {
      kept += line;
    }
    kept += '\n';
  }
  error.message = OneLine(kept);
  return error;
}

}  // namespace firn::postgres
