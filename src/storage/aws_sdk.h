// The AWS SDK in Arrow's S3 library, which is started once and must be ended before its own and Arrow's statics are
// destroyed.
#pragma once

#include "firn/result.h"

namespace firn::storage {

/// Starts the SDK at the first call. Thread-safe. kInternal where it can't start.
Status StartAwsSdk();

/// Its destructor ends the SDK. Every place that makes something of the SDK's has a static one of its own, made after
/// that: the one that was made last goes first, and so before any of the statics that came with what was made.
class AwsSdkEnd {
 public:
  AwsSdkEnd() = default;
  AwsSdkEnd(const AwsSdkEnd&) = delete;
  AwsSdkEnd& operator=(const AwsSdkEnd&) = delete;
  ~AwsSdkEnd();
};

}  // namespace firn::storage
