#include "storage/object_file_systems.h"

namespace firn::storage {

Result<ObjectFileSystem> OpenObjectFileSystem(const StoreLocation& where, const StoreOptions& options,
                                              const std::shared_ptr<Retrier>& retrier) {
  switch (where.kind) {
    case StoreKind::kS3:
      return OpenS3(where, options, retrier);
    case StoreKind::kGcs:
      return OpenGcs(options, retrier);
    case StoreKind::kAzure:
      return OpenAzure(where, options);
    case StoreKind::kLocal:
      break;
  }
  return MakeError(ErrorKind::kInternal, ErrorOrigin::kStorage, "{} is in no object store", where.root);
}

}  // namespace firn::storage
