// What the fuzzers hold true of every input. A broken promise ends the process, which libFuzzer reports.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "firn/result.h"

namespace firn::fuzz {

inline void Expect(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

/// Bytes that others made can be malformed or beyond firn; anything else would be firn's own fault.
inline void ExpectFaultOfInput(const Error& error) {
  Expect(error.kind() == ErrorKind::kCorrupt || error.kind() == ErrorKind::kUnsupported, error.message());
}

}  // namespace firn::fuzz
