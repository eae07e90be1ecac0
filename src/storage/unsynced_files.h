// What a local store has written and not yet synced.
//
//   Add ──► files, folders ──► SyncAll: each of them, or their file systems where they are many
//
// A commit of many small tables writes some files of each. One fsync costs as much as writing such a file; one for all
// of them together is by far cheaper. Sources: fsync(2), syncfs(2).
#pragma once

#include <sys/types.h>

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/descriptor.h"
#include "firn/result.h"

namespace firn::storage {

/// The folder that a path's entry is in.
std::string ParentOf(const std::string& path);
Status SyncFolder(const std::string& folder);

/// Thread-safe.
class UnsyncedFiles {
 public:
  /// A file that was closed, and its entry in its folder.
  void AddFile(std::string path);
  void AddFolder(std::string path);

  /// What was added before is on the disk when this returns; what is no longer there is left out. Whoever calls it
  /// while another does waits for that one. kWriteFailed once the system could not write something, from then on for
  /// ever: nobody knows any more what is on the disk, and firn has to start again.
  Status SyncAll();

 private:
  Status SyncEach(const std::vector<std::string>& files, const std::unordered_set<std::string>& folders);
  /// False where one of them has to be synced file by file.
  Result<bool> SyncFileSystems(const std::unordered_set<std::string>& folders);

  std::mutex mutex_;  ///< For what is added.
  std::vector<std::string> files_;
  std::unordered_set<std::string> folders_;

  std::mutex syncing_;  ///< For the rest; taken before the other.
  std::optional<Error> failure_;
  std::map<dev_t, Descriptor> file_systems_;  ///< Kept open: then none of their errors is missed.
};

}  // namespace firn::storage
