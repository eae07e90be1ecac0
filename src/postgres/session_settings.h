// The settings of every connection (postgres/connection.h), for sessions that others open.
#pragma once

#include <string>

namespace firn::postgres {

/// As SQL, for a server of this version.
std::string SessionSettings(int server_version);

}  // namespace firn::postgres
