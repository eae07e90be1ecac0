#include "storage/arrow_file_store.h"

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>

#include <exception>
#include <utility>

#include "base/try.h"
#include "storage/arrow_error.h"
#include "storage/store_error.h"

namespace firn::storage {
namespace {

/// Runs a call to a filesystem. Azure's credentials throw what Arrow doesn't catch.
template <typename Call>
auto Catch(Call&& call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::exception& thrown) {
    return arrow::Status::IOError(thrown.what());
  }
}

/// Google's client counts a call's time from before its first request, and on a busy machine ends it before there was
/// one (gcs_file_system.cc has the time).
bool WasNeverMade(const Error& error) {
  return error.message().find("Retry policy exhausted before first attempt") != std::string::npos;
}

/// A call whose requests nobody tries again: nothing, or the whole of it, may be done twice.
template <typename Call>
auto UntilMade(Call&& call) -> decltype(call()) {
  constexpr int kTriesMax = 100;
  auto result = call();
  for (int tries = 1; tries < kTriesMax && !result && WasNeverMade(result.error()); ++tries) result = call();
  return result;
}

/// What a stream needs to say what went wrong with it.
struct StreamErrors {
  StoreAction action;
  StoreLocation where;
  OnStreamError on_error;

  /// The location is for the stream's user to name.
  arrow::Status Translate(const arrow::Status& status) const {
    if (status.ok()) return status;
    Error error = ToStoreError(status, action, where);
    return ToArrowStatus(on_error ? on_error(std::move(error)) : std::move(error));
  }
  template <typename T>
  arrow::Result<T> Translate(arrow::Result<T> result) const {
    if (result.ok()) return result;
    return Translate(result.status());
  }
};

class ObjectInput : public arrow::io::RandomAccessFile {
 public:
  ObjectInput(std::shared_ptr<arrow::io::RandomAccessFile> file, StreamErrors errors)
      : file_(std::move(file)), errors_(std::move(errors)) {}

  arrow::Status Close() override {
    return errors_.Translate(Catch([&] { return file_->Close(); }));
  }
  bool closed() const override { return file_->closed(); }
  arrow::Result<int64_t> Tell() const override { return file_->Tell(); }
  arrow::Status Seek(int64_t position) override { return file_->Seek(position); }
  arrow::Result<int64_t> GetSize() override { return file_->GetSize(); }
  arrow::Result<int64_t> Read(int64_t size, void* out) override {
    return errors_.Translate(Catch([&] { return file_->Read(size, out); }));
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t size) override {
    return errors_.Translate(Catch([&] { return file_->Read(size); }));
  }
  arrow::Result<int64_t> ReadAt(int64_t position, int64_t size, void* out) override {
    return errors_.Translate(Catch([&] { return file_->ReadAt(position, size, out); }));
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position, int64_t size) override {
    return errors_.Translate(Catch([&] { return file_->ReadAt(position, size); }));
  }
  using arrow::io::RandomAccessFile::ReadAt;

 private:
  std::shared_ptr<arrow::io::RandomAccessFile> file_;
  const StreamErrors errors_;
};

/// A file is there once Close has succeeded. Arrow's own streams would make one of what was written so far when they
/// are destroyed, and would leave the parts of a failed upload behind.
class ObjectOutput : public arrow::io::OutputStream {
 public:
  ObjectOutput(std::shared_ptr<arrow::fs::FileSystem> file_system, std::shared_ptr<arrow::io::OutputStream> stream,
               StreamErrors errors)
      : file_system_(std::move(file_system)), stream_(std::move(stream)), errors_(std::move(errors)) {}
  ~ObjectOutput() override { (void)Abort(); }

  arrow::Status Write(const void* data, int64_t size) override {
    ARROW_RETURN_NOT_OK(CheckOpen());
    return Keep(Catch([&] { return stream_->Write(data, size); }), size);
  }
  arrow::Status Write(const std::shared_ptr<arrow::Buffer>& data) override {
    ARROW_RETURN_NOT_OK(CheckOpen());
    return Keep(Catch([&] { return stream_->Write(data); }), data->size());
  }

  arrow::Status Close() override {
    if (closed_) return arrow::Status::OK();
    if (failed_) {
      ARROW_RETURN_NOT_OK(Abort());
      return arrow::Status::IOError("a write to it failed before");
    }
    // A failed part is known before the last one goes out, while the upload can still be taken back.
    arrow::Status status =
        errors_.where.kind == StoreKind::kS3 ? Catch([&] { return stream_->Flush(); }) : arrow::Status::OK();
    if (status.ok()) status = Catch([&] { return stream_->Close(); });
    if (!status.ok()) {
      (void)Abort();
      return errors_.Translate(status);
    }
    closed_ = true;
    return status;
  }

  arrow::Status Abort() override {
    if (std::exchange(closed_, true)) return arrow::Status::OK();
    // Parts that are on their way would outlive the upload.
    if (errors_.where.kind == StoreKind::kS3) (void)Catch([&] { return stream_->Flush(); });
    arrow::Status status = Catch([&] { return stream_->Abort(); });
    // With GCS Arrow ends the upload all the same, and Azure's file is there, empty, from the start.
    if (errors_.where.kind != StoreKind::kS3) {
      status &= Catch([&] { return file_system_->DeleteFile(errors_.where.ArrowPath()); });
    }
    return status;
  }

  bool closed() const override { return closed_; }
  arrow::Result<int64_t> Tell() const override { return position_; }

 private:
  arrow::Status CheckOpen() const {
    return closed_ ? arrow::Status::Invalid("the file is closed") : arrow::Status::OK();
  }
  arrow::Status Keep(const arrow::Status& status, int64_t size) {
    if (status.ok()) position_ += size;
    failed_ = failed_ || !status.ok();
    return errors_.Translate(status);
  }

  const std::shared_ptr<arrow::fs::FileSystem> file_system_;
  const std::shared_ptr<arrow::io::OutputStream> stream_;
  const StreamErrors errors_;
  int64_t position_ = 0;
  bool failed_ = false;
  bool closed_ = false;
};

/// The AWS SDK reads an error's text into the buffer that is for the content. Where that is too small, only a request
/// without one (HEAD) tells the error.
bool IsErrorTooLong(const arrow::Status& status) {
  return status.message().find("Failed to flush response stream") != std::string::npos;
}

int64_t MillisOf(const arrow::fs::FileInfo& info) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(info.mtime().time_since_epoch()).count();
}

class ArrowFileStore : public FileStore {
 public:
  ArrowFileStore(ObjectFileSystem file_system, OnStreamError on_stream_error)
      : file_system_(std::move(file_system)), on_stream_error_(std::move(on_stream_error)) {}

  Result<std::string> Read(std::string_view location, int64_t size) override {
    return UntilMade([&] { return ReadOnce(location, size); });
  }
  Status Write(std::string_view location, std::string_view content) override {
    return UntilMade([&] { return WriteOnce(location, content); });
  }
  Status MakeDurable() override { return {}; }
  Status Delete(std::string_view location) override {
    return UntilMade([&] { return DeleteOnce(location); });
  }
  Result<FileInfo> Stat(std::string_view location) override {
    return UntilMade([&] { return StatOnce(location); });
  }
  Result<std::vector<FileInfo>> List(std::string_view location_prefix) override {
    return UntilMade([&] { return ListOnce(location_prefix); });
  }

  Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenInput(std::string_view location, int64_t size) override {
    TRY(StoreLocation where, ParseStoreLocation(location));
    auto file = Catch([&] { return file_system_.streams->OpenInputFile(InfoOf(where, size)); });
    if (!file.ok()) return Failed(file.status(), StoreAction::kRead, where, location);
    return std::make_shared<ObjectInput>(*std::move(file),
                                         StreamErrors{StoreAction::kRead, std::move(where), on_stream_error_});
  }

  Result<std::shared_ptr<arrow::io::OutputStream>> OpenOutput(std::string_view location) override {
    return Open(file_system_.streams, location, on_stream_error_);
  }

 private:
  Result<std::string> ReadOnce(std::string_view location, int64_t size) {
    TRY(const StoreLocation where, ParseStoreLocation(location));
    auto read = Catch([&] { return where.kind == StoreKind::kGcs ? ReadStream(where) : ReadKnown(where, size); });
    if (!read.ok() && size > 0 && IsErrorTooLong(read.status())) read = Catch([&] { return ReadKnown(where, 0); });
    if (!read.ok()) return Failed(read.status(), StoreAction::kRead, where, location);
    return std::move(read).MoveValueUnsafe();
  }

  Status WriteOnce(std::string_view location, std::string_view content) {
    TRY(const auto file, Open(file_system_.calls, location, {}));
    arrow::Status status = file->Write(content.data(), static_cast<int64_t>(content.size()));
    if (status.ok()) status = file->Close();
    return status.ok() ? Status() : ToError(status, Describe(StoreAction::kWrite, location));
  }

  Status DeleteOnce(std::string_view location) {
    TRY(const StoreLocation where, ParseStoreLocation(location));
    const arrow::Status status = Catch([&] { return file_system_.calls->DeleteFile(where.ArrowPath()); });
    if (status.ok()) return {};
    Error error = Failed(status, StoreAction::kDelete, where, location);
    if (error.kind() == ErrorKind::kNotFound) return {};
    return error;
  }

  Result<FileInfo> StatOnce(std::string_view location) {
    TRY(const StoreLocation where, ParseStoreLocation(location));
    auto info = Catch([&] { return file_system_.calls->GetFileInfo(where.ArrowPath()); });
    if (!info.ok()) return Failed(info.status(), StoreAction::kStat, where, location);
    switch (info->type()) {
      case arrow::fs::FileType::File:
        return FileInfo{.location = std::string(location), .size = info->size(), .modified_ms = MillisOf(*info)};
      case arrow::fs::FileType::Directory:
        return MakeError(ErrorKind::kInvalidConfig, ErrorOrigin::kStorage, "{}: it is a folder where a file should be",
                         Describe(StoreAction::kStat, location));
      default:
        return MakeError(ErrorKind::kNotFound, ErrorOrigin::kStorage, "{}: there is no such file",
                         Describe(StoreAction::kStat, location));
    }
  }

  Result<std::vector<FileInfo>> ListOnce(std::string_view location_prefix) {
    TRY(const StoreLocation where, ParseStoreLocation(location_prefix));
    arrow::fs::FileSelector selector;
    selector.base_dir = where.ArrowPath();
    selector.recursive = true;
    selector.allow_not_found = true;
    auto infos = Catch([&] { return file_system_.calls->GetFileInfo(selector); });
    if (!infos.ok()) return Failed(infos.status(), StoreAction::kList, where, location_prefix);
    std::vector<FileInfo> files;
    for (const arrow::fs::FileInfo& info : *infos) {
      if (!info.IsFile() || !info.path().starts_with(where.bucket + "/")) continue;
      files.push_back({.location = where.root + info.path().substr(where.bucket.size() + 1),
                       .size = info.size(),
                       .modified_ms = MillisOf(info)});
    }
    return files;
  }

  Result<std::shared_ptr<arrow::io::OutputStream>> Open(const std::shared_ptr<arrow::fs::FileSystem>& file_system,
                                                        std::string_view location, OnStreamError on_error) {
    TRY(StoreLocation where, ParseStoreLocation(location));
    auto stream = Catch([&] { return file_system->OpenOutputStream(where.ArrowPath(), nullptr); });
    if (!stream.ok()) return Failed(stream.status(), StoreAction::kWrite, where, location);
    return std::make_shared<ObjectOutput>(file_system, *std::move(stream),
                                          StreamErrors{StoreAction::kWrite, std::move(where), std::move(on_error)});
  }

  static Error Failed(const arrow::Status& status, StoreAction action, const StoreLocation& where,
                      std::string_view location) {
    return ToStoreError(status, action, where).WithContext(Describe(action, location));
  }

  static arrow::fs::FileInfo InfoOf(const StoreLocation& where, int64_t size) {
    arrow::fs::FileInfo info(where.ArrowPath());
    if (size > 0) info.set_size(size);
    return info;
  }

  arrow::Result<std::string> ReadKnown(const StoreLocation& where, int64_t size) {
    ARROW_ASSIGN_OR_RAISE(auto file, file_system_.calls->OpenInputFile(InfoOf(where, size)));
    ARROW_ASSIGN_OR_RAISE(const int64_t file_size, file->GetSize());
    std::string content(static_cast<size_t>(file_size), '\0');
    ARROW_ASSIGN_OR_RAISE(const int64_t read, file->ReadAt(0, file_size, content.data()));
    content.resize(static_cast<size_t>(read));
    return content;
  }

  /// To the end, whose place need not be known.
  arrow::Result<std::string> ReadStream(const StoreLocation& where) {
    constexpr int64_t kChunkBytes = 1 << 20;
    ARROW_ASSIGN_OR_RAISE(auto stream, file_system_.calls->OpenInputStream(where.ArrowPath()));
    std::string content;
    while (true) {
      ARROW_ASSIGN_OR_RAISE(const auto chunk, stream->Read(kChunkBytes));
      content.append(reinterpret_cast<const char*>(chunk->data()), static_cast<size_t>(chunk->size()));
      if (chunk->size() < kChunkBytes) return content;
    }
  }

  const ObjectFileSystem file_system_;
  const OnStreamError on_stream_error_;
};

}  // namespace

std::unique_ptr<FileStore> MakeArrowFileStore(ObjectFileSystem file_system, OnStreamError on_stream_error) {
  return std::make_unique<ArrowFileStore>(std::move(file_system), std::move(on_stream_error));
}

}  // namespace firn::storage
