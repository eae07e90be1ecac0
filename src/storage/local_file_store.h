// Files on a local disk, as a warehouse that must survive a crash needs them.
#pragma once

#include <memory>

#include "storage/file_store.h"

namespace firn::storage {

struct LocalOptions {
  /// Written files, and the folder entries that name them, are on the disk once Write or Close has succeeded. Off is
  /// for throwaway warehouses only: after a power cut a commit may name files that are empty.
  bool fsync = true;
};

/// Takes locations "file:///p", "file:/p" (as Java writes them), "file://localhost/p" and plain "/p". Percent signs are
/// characters like any other, as Iceberg's own implementations have it.
std::unique_ptr<FileStore> MakeLocalFileStore(const LocalOptions& options);

}  // namespace firn::storage
