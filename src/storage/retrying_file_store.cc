#include "storage/retrying_file_store.h"

#include <utility>

namespace firn::storage {
namespace {

class RetryingFileStore : public FileStore {
 public:
  RetryingFileStore(FileStore& store, std::shared_ptr<Retrier> retrier) : store_(store), retrier_(std::move(retrier)) {}

  Result<std::string> Read(std::string_view location, int64_t size) override {
    return retrier_->Run("store_read", location, [&] { return store_.Read(location, size); });
  }
  Status Write(std::string_view location, std::string_view content) override {
    return retrier_->Run("store_write", location, [&] { return store_.Write(location, content); });
  }
  Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenInput(std::string_view location, int64_t size) override {
    return retrier_->Run("store_open", location, [&] { return store_.OpenInput(location, size); });
  }
  Result<std::shared_ptr<arrow::io::OutputStream>> OpenOutput(std::string_view location) override {
    return retrier_->Run("store_open", location, [&] { return store_.OpenOutput(location); });
  }
  Status MakeDurable() override { return store_.MakeDurable(); }
  Status Delete(std::string_view location) override {
    return retrier_->Run("store_delete", location, [&] { return store_.Delete(location); });
  }
  Result<FileInfo> Stat(std::string_view location) override {
    return retrier_->Run("store_stat", location, [&] { return store_.Stat(location); });
  }
  Result<std::vector<FileInfo>> List(std::string_view location_prefix) override {
    return retrier_->Run("store_list", location_prefix, [&] { return store_.List(location_prefix); });
  }

 private:
  FileStore& store_;
  const std::shared_ptr<Retrier> retrier_;
};

}  // namespace

std::unique_ptr<FileStore> MakeRetryingFileStore(FileStore& store, std::shared_ptr<Retrier> retrier) {
  return std::make_unique<RetryingFileStore>(store, std::move(retrier));
}

}  // namespace firn::storage
