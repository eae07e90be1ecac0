// Where a file lies: the parts of a location, for each kind of store.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "firn/result.h"

namespace firn::storage {

enum class StoreKind : uint8_t { kLocal, kS3, kGcs, kAzure };

/// The configuration's section for a kind of store: "s3" of `storage.s3`; "local" for local folders, which has none.
std::string_view SectionOf(StoreKind kind);

/// A location in an object store. Keys are taken as they are written: percent signs are characters like any other, as
/// Iceberg's own implementations have it.
struct StoreLocation {
  StoreKind kind = StoreKind::kLocal;
  std::string root;     ///< What stands before the key, with its slash: "s3://bucket/".
  std::string bucket;   ///< The bucket; Azure: the container.
  std::string account;  ///< Azure: the storage account; empty where the location names none.
  std::string domain;   ///< Azure: what follows the service's name, "core.windows.net"; empty without an account.
  std::string key;      ///< Without slashes at its ends; empty for the bucket itself.

  /// "bucket/key", as Arrow names it.
  std::string ArrowPath() const { return key.empty() ? bucket : bucket + "/" + key; }
};

/// Whether `location` is `folder`, which is not empty, or lies below it: "s3://lake/orders2" is not below
/// "s3://lake/orders".
bool IsAtOrBelow(std::string_view location, std::string_view folder);

/// s3:// (also s3a://, s3n://), gs://, abfss:// (also abfs://, wasbs://, wasb://) and, with nothing but its kind, a
/// local location or path. kInvalidConfig for another scheme or a location without a bucket.
Result<StoreLocation> ParseStoreLocation(std::string_view location);

}  // namespace firn::storage
