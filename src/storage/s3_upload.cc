#include "storage/s3_upload.h"

#include <arrow/buffer.h>
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "base/try.h"
#include "http/percent_encoding.h"
#include "storage/arrow_error.h"

namespace firn::storage {
namespace {

constexpr size_t kPartBytes = size_t{10} << 20;
/// Parts on their way at once: what a file holds in memory is bounded.
constexpr size_t kPartsAtOnceMax = 4;
/// "Amazon S3 multipart upload limits" in the S3 user guide.
constexpr size_t kPartsMax = 10'000;

/// Gives the part's ETag.
Result<std::string> SendPart(const S3Requests& requests, const std::string& query, std::string body) {
  TRY(const http::HttpResponse answer, requests.Send("PUT", query, std::move(body)));
  return std::string(answer.Header("ETag"));
}

arrow::Status AsArrow(const Status& status) {
  return status.has_value() ? arrow::Status::OK() : ToArrowStatus(status.error());
}

class S3Upload : public arrow::io::OutputStream {
 public:
  explicit S3Upload(S3Requests requests) : requests_(std::move(requests)) {}
  ~S3Upload() override { (void)Abort(); }

  arrow::Status Write(const void* data, int64_t size) override {
    if (closed_) return arrow::Status::Invalid("the file is closed");
    std::string_view rest(static_cast<const char*>(data), static_cast<size_t>(size));
    while (buffer_.size() + rest.size() > kPartBytes) {
      const size_t taken = kPartBytes - buffer_.size();
      buffer_.append(rest.substr(0, taken));
      rest.remove_prefix(taken);
      const Status started = StartPart();
      failed_ = failed_ || !started.has_value();
      ARROW_RETURN_NOT_OK(AsArrow(started));
    }
    buffer_.append(rest);
    position_ += size;
    return arrow::Status::OK();
  }
  using arrow::io::OutputStream::Write;

  arrow::Status Close() override {
    if (closed_) return arrow::Status::OK();
    arrow::Status status = failed_ ? arrow::Status::IOError("a write to it failed before") : AsArrow(Finish());
    if (status.ok()) {
      closed_ = true;
    } else {
      (void)Abort();
    }
    return status;
  }

  arrow::Status Abort() override {
    if (std::exchange(closed_, true)) return arrow::Status::OK();
    while (!under_way_.empty()) (void)TakeFirst();  // They would outlive the upload.
    if (upload_id_.empty()) return arrow::Status::OK();
    const auto answer = requests_.Send("DELETE", UploadQuery(), {});
    return answer.has_value() ? arrow::Status::OK() : ToArrowStatus(answer.error());
  }

  bool closed() const override { return closed_; }
  arrow::Result<int64_t> Tell() const override { return position_; }

 private:
  std::string UploadQuery() const { return "uploadId=" + http::PercentEncode(upload_id_); }

  Status Begin() {
    TRY(const http::HttpResponse answer, requests_.Send("POST", "uploads=", {}));
    upload_id_ = ElementText(answer.body, "UploadId");
    if (!upload_id_.empty()) return {};
    return MakeError(ErrorKind::kTransient, ErrorOrigin::kStorage, "the store began an upload and did not name it");
  }

  /// Sends what is buffered as the next part, once few enough are under way.
  Status StartPart() {
    if (upload_id_.empty()) TRY_VOID(Begin());
    const size_t number = etags_.size() + under_way_.size() + 1;
    if (number > kPartsMax) {
      return MakeError(ErrorKind::kUnsupported, ErrorOrigin::kStorage,
                       "S3 takes {} parts of {} bytes; lower writer.target_file_size_bytes", kPartsMax, kPartBytes);
    }
    if (under_way_.size() == kPartsAtOnceMax) TRY_VOID(TakeFirst());
    under_way_.push_back(std::async(std::launch::async, SendPart, std::cref(requests_),
                                    fmt::format("partNumber={}&{}", number, UploadQuery()),
                                    std::exchange(buffer_, {})));
    return {};
  }

  /// Waits for the first of the parts that are under way.
  Status TakeFirst() {
    Result<std::string> etag = under_way_.front().get();
    under_way_.pop_front();
    TRY(etags_.emplace_back(), std::move(etag));
    return {};
  }

  Status Finish() {
    if (upload_id_.empty()) {
      TRY_VOID(requests_.Send("PUT", {}, std::move(buffer_)));
      return {};
    }
    TRY_VOID(StartPart());
    while (!under_way_.empty()) TRY_VOID(TakeFirst());
    std::string list = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    for (size_t i = 0; i < etags_.size(); ++i) {
      list += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1, etags_[i]);
    }
    list += "</CompleteMultipartUpload>";
    const auto answer = requests_.Send("POST", UploadQuery(), std::move(list));
    if (answer.has_value() || IsThere(answer.error())) return {};
    return answer.error();
  }

  /// An upload that isn't known any more was completed by a request whose answer was lost, where its file is there.
  bool IsThere(const Error& error) const {
    if (error.native_code() != "NoSuchUpload") return false;
    const auto answer = requests_.Send("HEAD", {}, {});
    return answer.has_value() && answer->Header("Content-Length") == fmt::format("{}", position_);
  }

  const S3Requests requests_;
  std::string buffer_;
  std::string upload_id_;                                   ///< Empty: nothing was sent yet.
  std::vector<std::string> etags_;                          ///< Of the parts that are there.
  std::deque<std::future<Result<std::string>>> under_way_;  ///< Of those behind them.
  int64_t position_ = 0;
  bool failed_ = false;
  bool closed_ = false;
};

}  // namespace

std::shared_ptr<arrow::io::OutputStream> OpenS3Upload(S3Requests requests) {
  return std::make_shared<S3Upload>(std::move(requests));
}

}  // namespace firn::storage
