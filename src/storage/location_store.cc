#include "storage/location_store.h"

#include <algorithm>
#include <list>
#include <mutex>
#include <utility>

#include "base/try.h"
#include "storage/arrow_file_store.h"
#include "storage/local_file_store.h"
#include "storage/object_file_systems.h"
#include "storage/option_reader.h"
#include "storage/s3_requests.h"
#include "storage/s3_upload.h"
#include "storage/store_error.h"
#include "storage/store_location.h"
#include "storage/vended_credentials.h"

namespace firn::storage {
namespace {

/// Stores kept open, by their settings; the one that was used the longest ago goes. Streams keep theirs.
constexpr size_t kOpenStoresMax = 64;

class LocationStore : public FileStore {
 public:
  LocationStore(LocationStoreOptions options, std::unique_ptr<FileStore> local)
      : options_(std::move(options)),
        local_(std::move(local)),
        vended_(options_.vend ? std::make_shared<VendedCredentials>(options_.vend) : nullptr),
        s3_client_(vended_ ? MakeS3Client(SectionFor(StoreKind::kS3)) : nullptr) {}

  Status Open(std::string_view root) {
    TRY(const StoreLocation where, ParseStoreLocation(root));
    if (where.kind == StoreKind::kLocal || vended_) return {};
    TRY([[maybe_unused]] const auto store, StoreFor(where, {}));
    return {};
  }

  Result<std::string> Read(std::string_view location, int64_t size) override {
    return Do(location, [&](FileStore& store) { return store.Read(location, size); });
  }
  Status Write(std::string_view location, std::string_view content) override {
    return Do(location, [&](FileStore& store) { return store.Write(location, content); });
  }
  Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenInput(std::string_view location, int64_t size) override {
    return Do(location, [&](FileStore& store) { return store.OpenInput(location, size); });
  }
  Result<std::shared_ptr<arrow::io::OutputStream>> OpenOutput(std::string_view location) override {
    TRY(const StoreLocation where, ParseStoreLocation(location));
    if (where.kind != StoreKind::kS3 || !vended_) {
      return Do(location, [&](FileStore& store) { return store.OpenOutput(location); });
    }
    TRY(const StoreOptions vended, vended_->For(location).Context("asking for the credentials of {}", location));
    // Its options are checked where it is opened.
    TRY(const auto store, StoreFor(where, vended));
    if (!vended.contains("access_key_id")) return store->OpenOutput(location);
    return OpenS3Upload(S3Requests(
        where,
        {.vended = vended_, .configured = SectionFor(where.kind), .client = s3_client_, .retrier = options_.retrier}));
  }
  Status MakeDurable() override { return local_->MakeDurable(); }  // Of the others, what is written is durable.
  Status Delete(std::string_view location) override {
    return Do(location, [&](FileStore& store) { return store.Delete(location); });
  }
  Result<FileInfo> Stat(std::string_view location) override {
    return Do(location, [&](FileStore& store) { return store.Stat(location); });
  }
  Result<std::vector<FileInfo>> List(std::string_view location_prefix) override {
    return Do(location_prefix, [&](FileStore& store) { return store.List(location_prefix); });
  }

 private:
  template <typename Call>
  auto Do(std::string_view location, Call&& call) -> decltype(call(std::declval<FileStore&>())) {
    TRY(const StoreLocation where, ParseStoreLocation(location));
    if (where.kind == StoreKind::kLocal) return call(*local_);
    StoreOptions vended;
    if (vended_) {
      TRY(vended, vended_->For(location).Context("asking for the credentials of {}", location));
    }
    TRY(const auto store, StoreFor(where, vended));
    auto result = call(*store);
    if (result.has_value() || vended.empty() || !AreCredentialsRefused(result.error())) return result;
    (void)vended_->Refused(vended);
    TRY(const StoreOptions fresh, vended_->For(location).Context("asking for the credentials of {}", location));
    if (fresh == vended) return result;
    TRY(const auto fresh_store, StoreFor(where, fresh));
    return call(*fresh_store);
  }

  StoreOptions SectionFor(StoreKind kind) const {
    const auto section = options_.sections.find(std::string(SectionOf(kind)));
    return section == options_.sections.end() ? StoreOptions() : section->second;
  }

  Result<std::shared_ptr<FileStore>> StoreFor(const StoreLocation& where, const StoreOptions& vended) {
    const StoreOptions options = LayOver(SectionFor(where.kind), vended);
    std::string key = fmt::format("{}\n{}\n{}\n{}", SectionOf(where.kind), where.bucket, where.account, where.domain);
    for (const auto& [name, value] : options) key += fmt::format("\n{}={}", name, value);
    {
      std::lock_guard lock(mutex_);
      const auto open = std::ranges::find(open_, key, &OpenStore::key);
      if (open != open_.end()) {
        open_.splice(open_.begin(), open_, open);
        return open->store;
      }
    }
    TRY(ObjectFileSystem file_system, OpenObjectFileSystem(where, options, options_.retrier));
    OnStreamError on_error;
    if (!vended.empty()) {
      on_error = [held = vended_, vended](Error error) {
        return AreCredentialsRefused(error) ? held->Judge(std::move(error), vended) : error;
      };
    }
    std::shared_ptr<FileStore> store = MakeArrowFileStore(std::move(file_system), std::move(on_error));
    std::lock_guard lock(mutex_);
    open_.push_front({.key = std::move(key), .store = store});
    if (open_.size() > kOpenStoresMax) open_.pop_back();
    return store;
  }

  struct OpenStore {
    std::string key;
    std::shared_ptr<FileStore> store;
  };

  const LocationStoreOptions options_;
  const std::unique_ptr<FileStore> local_;
  const std::shared_ptr<VendedCredentials> vended_;
  const std::shared_ptr<http::HttpClient> s3_client_;  ///< Of uploads with vended credentials.
  std::mutex mutex_;
  std::list<OpenStore> open_;  ///< Under mutex_; the last used first.
};

}  // namespace

Result<std::unique_ptr<FileStore>> OpenLocationStore(std::string_view root, LocationStoreOptions options) {
  LocalSync sync = LocalSync::kWhenAsked;
  if (const auto section = options.sections.find("local"); section != options.sections.end()) {
    OptionReader read("local", section->second);
    TRY(const bool fsync, read.Switch("fsync", true));
    if (!fsync) sync = LocalSync::kNever;
    TRY_VOID(read.CheckAllKnown());
  }
  auto store = std::make_unique<LocationStore>(std::move(options), MakeLocalFileStore(sync));
  if (!root.empty()) TRY_VOID(store->Open(root));
  return store;
}

}  // namespace firn::storage
