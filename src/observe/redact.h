// Takes secrets out of text that people will read: log lines, error messages, the status page.
#pragma once

#include <string>
#include <string_view>

#include "firn/result.h"

namespace firn {

/// `text` with "***" in place of the password of every URL ("postgresql://user:***@host/db") and of the value of every
/// secret parameter ("password=***", also sslpassword, secret, token, credential and the like, as libpq strings and
/// URL queries have them). When it cannot tell where a password ends, it hides more rather than less.
std::string RedactSecrets(std::string_view text);
/// The same of an error's message: for errors that leave the library.
Error Redacted(const Error& error);

}  // namespace firn
