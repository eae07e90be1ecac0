// The files of a warehouse: one interface over local disks and object stores, by full URI ("file:///lake/t/data/x").
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "firn/result.h"

namespace arrow::io {
class RandomAccessFile;
class OutputStream;
}  // namespace arrow::io

namespace firn::storage {

/// A file's size where it isn't known.
inline constexpr int64_t kUnknownSize = 0;

struct FileInfo {
  std::string location;  ///< A full URI.
  int64_t size = 0;
  int64_t modified_ms = 0;
};

/// Thread-safety: every method may be called from any thread. Errors: kNotFound, kPermission, kTransient (network, a
/// full disk says so in its message), kInvalidConfig (a URI of another store), origin kStorage.
class FileStore {
 public:
  virtual ~FileStore() = default;

  /// `size` is the file's own, as a manifest tells it: where it is known, an object store need not be asked for it.
  virtual Result<std::string> Read(std::string_view location, int64_t size = kUnknownSize) = 0;
  /// Writes a whole file; it is there whole or not at all.
  virtual Status Write(std::string_view location, std::string_view content) = 0;
  /// A file that can be read from several threads (ReadAt). `size` as for Read.
  virtual Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenInput(std::string_view location,
                                                                         int64_t size = kUnknownSize) = 0;
  /// Makes missing folders. The file counts as written once Close() on it has succeeded; a stream that is destroyed
  /// before leaves no file that counts. The stream's statuses carry firn's errors (storage::ToError).
  virtual Result<std::shared_ptr<arrow::io::OutputStream>> OpenOutput(std::string_view location) = 0;
  /// Files that were written before outlive a crash of the machine once this has returned. Call it before a catalog, or
  /// whatever else outlives such a crash, names them. Object stores have nothing to do. kWriteFailed: they may be lost.
  virtual Status MakeDurable() = 0;
  virtual Status Delete(std::string_view location) = 0;  ///< OK when there is no such file.
  virtual Result<FileInfo> Stat(std::string_view location) = 0;
  virtual Result<std::vector<FileInfo>> List(std::string_view location_prefix) = 0;  ///< Recursive.
};

/// Store settings by the configuration's own key names ("endpoint", "region", …) for the URI's scheme.
using StoreOptions = std::map<std::string, std::string>;

/// A plain path becomes an absolute file:// URI; a URI stays, without its trailing slash. kInvalidConfig for a scheme
/// that firn doesn't know.
Result<std::string> NormalizeLocation(std::string_view path_or_uri);

/// The store that holds `root` (file://, s3://, gs://, abfss://).
Result<std::unique_ptr<FileStore>> OpenFileStore(std::string_view root, const StoreOptions& options);

}  // namespace firn::storage
