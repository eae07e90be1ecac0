// A store for every location: which store a file lies in, and with which settings it is reached, follows from its
// location alone. So a table may lie in another bucket than the warehouse, with credentials of its own.
//
//   location ──► kind, bucket ──► configured options ──┐
//           └──► vended for its prefix (held, asked for again) ──┴──► a filesystem per distinct options
#pragma once

#include <map>
#include <memory>
#include <string>

#include "observe/retrier.h"
#include "storage/file_store.h"
#include "storage/vended_settings.h"

namespace firn::storage {

struct LocationStoreOptions {
  std::map<std::string, StoreOptions> sections;  ///< As the configuration's `storage`: "s3" → key → value.
  VendSettings vend;                             ///< Empty: nothing is vended.
  std::shared_ptr<Retrier> retrier;              ///< For the requests of open streams. Null: as Arrow has it.
};

/// Asks for vended settings before they expire, and after the server refused them: then a call is made once more with
/// the new ones. A file that is written to S3 goes on with the new ones, too; any other open stream keeps those that it
/// was opened with, and when they run out meanwhile it fails with kTransient, since the file can be written again.
/// Opens the store of `root` at once (without settings that are vended), so that options which can't be are said early;
/// an empty `root` opens none. Errors as OpenFileStore.
Result<std::unique_ptr<FileStore>> OpenLocationStore(std::string_view root, LocationStoreOptions options);

}  // namespace firn::storage
