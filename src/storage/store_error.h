// What an object store says when it fails, as an Error: of which kind it is, what it means and what to do.
#pragma once

#include <arrow/status.h>

#include <cstdint>
#include <string_view>

#include "firn/result.h"
#include "storage/store_location.h"

namespace firn::storage {

enum class StoreAction : uint8_t { kRead, kWrite, kDelete, kStat, kList };

/// The error of a status that Arrow's filesystem of `where` gave. Arrow hands on an object store's answer as text only:
/// the code in it decides. kNotFound (no such file), kPermission (the message names the right), kInvalidConfig (no such
/// bucket, another region), and kTransient for all that may pass, or that isn't known. The message begins with what is
/// wrong, not with the location; no query of a URL is in it. The native code is the store's own.
Error ToStoreError(const arrow::Status& status, StoreAction action, const StoreLocation& where);

/// What S3 says in an answer of its own: the code of its error, or its status in digits where it names none.
struct S3Refusal {
  std::string_view code;
  std::string_view message;
};
/// The error of it, of the kinds that ToStoreError gives.
Error ToStoreError(const S3Refusal& refusal, StoreAction action, const StoreLocation& where);

/// Whether the store did not take the credentials themselves: other ones may be taken.
bool AreCredentialsRefused(const Error& error);
/// Whether it said that they have run out.
bool HaveCredentialsExpired(const Error& error);

/// "reading s3://lake/x"
std::string Describe(StoreAction action, std::string_view location);

}  // namespace firn::storage
