// A store whose calls are tried again when they fail for a while.
#pragma once

#include <memory>

#include "observe/retrier.h"
#include "storage/file_store.h"

namespace firn::storage {

/// Calls that fail with kTransient are made again, as `retrier` has it, each from its start: every one may be repeated.
/// An open stream is not: what it can try again by itself, it does (LocationStoreOptions::retrier), and the file that
/// it fails to write is its writer's to write again. `store` outlives it. Thread-safety and errors: as FileStore;
/// kWriteFailed once the retries are used up, kCancelled after a stop.
std::unique_ptr<FileStore> MakeRetryingFileStore(FileStore& store, std::shared_ptr<Retrier> retrier);

}  // namespace firn::storage
