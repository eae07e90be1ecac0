// Files in an object store, over one of Arrow's filesystems.
#pragma once

#include <arrow/filesystem/filesystem.h>

#include <functional>
#include <memory>

#include "storage/file_store.h"
#include "storage/store_location.h"

namespace firn::storage {

/// One store as Arrow reaches it, with two ways of meeting a failed request. Whole files are the caller's to try again
/// (RetryingFileStore); of an open stream only the request that failed can be.
struct ObjectFileSystem {
  std::shared_ptr<arrow::fs::FileSystem> calls;    ///< Each request fails at its first error, where that can be had.
  std::shared_ptr<arrow::fs::FileSystem> streams;  ///< A request that may succeed later is tried again.
};

/// Called with each error that an open stream meets; gives the error that its user is to see.
using OnStreamError = std::function<Error(Error)>;

/// Thread-safety: as FileStore. The locations given must be ones of this store. The requests of each method:
///   Read         GET; with S3 and Azure, and no size, HEAD before it
///   Write        S3: PUT; GCS: POST; Azure: four (Arrow looks for a folder, and makes an empty blob first)
///   OpenInput    HEAD unless the size is given; each ReadAt a GET
///   OpenOutput   none; up to 10 MB one PUT at Close, above that a multipart upload of 10 MB parts in the background
///   Delete       S3: HEAD, DELETE, and a PUT of the parent folder's marker; GCS: GET, DELETE; Azure: four
///   Stat         HEAD; for a missing file two or three
///   List         a LIST for each 1000 files
std::unique_ptr<FileStore> MakeArrowFileStore(ObjectFileSystem file_system, OnStreamError on_stream_error = {});

}  // namespace firn::storage
