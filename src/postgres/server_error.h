// What a PostgreSQL error means to firn: SQLSTATE → kind, and the server's words on one line. Pure.
#pragma once

#include <string>
#include <string_view>

#include "firn/result.h"

namespace firn::postgres {

/// What the server said, without the fields that firn has no use for.
struct ServerError {
  std::string sqlstate;  ///< Empty where the connection broke before the server could say anything.
  std::string message;
  std::string detail;
  std::string hint;
};

/// By the table of SQLSTATE classes (PostgreSQL, appendix A). kTransient for an empty one: the connection broke.
ErrorKind KindOfSqlState(std::string_view sqlstate);

/// Line breaks and runs of blanks become one space; blanks at both ends go.
std::string OneLine(std::string_view text);

/// "message: detail; hint", with the kind of its SQLSTATE and the SQLSTATE as native code.
Error ToError(const ServerError& error);

/// libpq keeps no SQLSTATE of a failed connection attempt, but at verbosity "verbose" it prints it:
///   connection to server at "h" (10.0.0.1), port 5432 failed: FATAL:  28P01: password authentication failed for …
///   LOCATION:  auth_failed, auth.c:335
/// The last attempt counts. `message` is the server's text, or all of libpq's where the server said nothing, on one
/// line.
ServerError ParseConnectFailure(std::string_view text);

}  // namespace firn::postgres
