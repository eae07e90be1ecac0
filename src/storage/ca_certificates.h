// Where this system keeps the certificates that it trusts.
#pragma once

#include <string>

namespace firn::storage {

/// A PEM file: SSL_CERT_FILE, else the system's; empty where none is found. Arrow's libraries look only where the
/// system that they were built on has it.
std::string SystemCaFile();

}  // namespace firn::storage
