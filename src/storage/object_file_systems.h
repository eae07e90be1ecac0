// Arrow's filesystems for S3, GCS and Azure from firn's settings (docs/stores.md tells what each key means).
#pragma once

#include <memory>

#include "observe/retrier.h"
#include "storage/arrow_file_store.h"
#include "storage/file_store.h"
#include "storage/store_location.h"

namespace firn::storage {

/// The filesystem for `where`. kInvalidConfig for an option that there isn't, that can't be, or that doesn't go with
/// another. Asks nothing of the store, but that S3's region is looked up where nothing names it. `retrier` tries the
/// requests of open streams again where the library lets it (S3); null: the library's own way.
Result<ObjectFileSystem> OpenObjectFileSystem(const StoreLocation& where, const StoreOptions& options,
                                              const std::shared_ptr<Retrier>& retrier);

/// One for each kind, as OpenObjectFileSystem.
Result<ObjectFileSystem> OpenS3(const StoreLocation& where, const StoreOptions& options,
                                const std::shared_ptr<Retrier>& retrier);
Result<ObjectFileSystem> OpenGcs(const StoreOptions& options, const std::shared_ptr<Retrier>& retrier);
Result<ObjectFileSystem> OpenAzure(const StoreLocation& where, const StoreOptions& options);

}  // namespace firn::storage
