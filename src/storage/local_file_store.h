// Files on a local disk, as a warehouse that must survive a crash needs them.
#pragma once

#include <cstdint>
#include <memory>

#include "storage/file_store.h"

namespace firn::storage {

/// When written files, and the folder entries that name them, come to be on the disk.
enum class LocalSync : uint8_t {
  kAtOnce,     ///< Once Write or Close has succeeded. For files that nothing else makes durable.
  kWhenAsked,  ///< With MakeDurable, all together.
  kNever,      ///< For throwaway warehouses only: after a power cut a commit may name files that are empty.
};

/// Takes locations "file:///p", "file:/p" (as Java writes them), "file://localhost/p" and plain "/p". Percent signs are
/// characters like any other, as Iceberg's own implementations have it.
std::unique_ptr<FileStore> MakeLocalFileStore(LocalSync sync = LocalSync::kAtOnce);

}  // namespace firn::storage
