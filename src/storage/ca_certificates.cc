#include "storage/ca_certificates.h"

#include <array>
#include <cstdlib>
#include <filesystem>

namespace firn::storage {

std::string SystemCaFile() {
  if (const char* file = std::getenv("SSL_CERT_FILE"); file != nullptr) return file;
  constexpr std::array kFiles = {"/etc/ssl/certs/ca-certificates.crt",                 // Debian, Ubuntu, Arch
                                 "/etc/pki/tls/certs/ca-bundle.crt",                   // Fedora, RHEL
                                 "/etc/ssl/ca-bundle.pem",                             // openSUSE
                                 "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // RHEL
                                 "/etc/ssl/cert.pem"};                                 // Alpine
  for (const char* file : kFiles) {
    std::error_code error;
    if (std::filesystem::exists(file, error)) return file;
  }
  return "";
}

}  // namespace firn::storage
