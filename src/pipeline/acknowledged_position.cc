#include "pipeline/acknowledged_position.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "base/descriptor.h"
#include "base/try.h"
#include "observe/log.h"

namespace firn::pipeline {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kWriteInterval{1'000};

Error FileError(const std::string& doing, int error) {
  return MakeError(ErrorKind::kWriteFailed, "{}: {}", doing, std::strerror(error));
}

Status SyncPath(const std::string& path) {
  const Descriptor file = OpenFile(path, O_RDONLY);
  if (!file.is_open()) return FileError("opening " + path, errno);
  const int error = SyncFile(file.get());
  return error == 0 ? Status() : FileError("writing " + path, error);
}

/// On disk afterwards, whole or not at all.
Status WriteAcknowledged(const std::string& state_dir, Lsn lsn) {
  const std::string path = AcknowledgedFile(state_dir);
  const std::string next = path + ".next";
  {
    std::ofstream file(next, std::ios::trunc);
    file << ToString(lsn) << '\n';
    if (!file.flush()) return FileError("writing " + next, errno);
  }
  TRY_VOID(SyncPath(next));
  if (std::rename(next.c_str(), path.c_str()) != 0) return FileError("renaming " + next, errno);
  return SyncPath(state_dir);
}

class RecordingStream final : public postgres::ReplicationStream {
 public:
  RecordingStream(std::unique_ptr<postgres::ReplicationStream> stream, std::string state_dir)
      : stream_(std::move(stream)), state_dir_(std::move(state_dir)) {}

  Result<std::optional<postgres::XLogData>> Next(milliseconds wait) override {
    TRY_VOID(PassOnIfDue());
    return stream_->Next(wait);
  }
  Status KeepAlive(milliseconds wait) override {
    TRY_VOID(PassOnIfDue());
    return stream_->KeepAlive(wait);
  }
  void SetAcknowledged(Lsn lsn) override { wanted_ = std::max(wanted_, lsn); }
  Status SendStatus() override {
    TRY_VOID(PassOnIfDue());
    return stream_->SendStatus();
  }
  milliseconds status_interval() const override { return stream_->status_interval(); }
  Lsn received() const override { return stream_->received(); }
  Lsn server_end() const override { return stream_->server_end(); }
  int64_t bytes_received() const override { return stream_->bytes_received(); }
  Status Close() override {
    TRY_VOID(PassOn());
    return stream_->Close();
  }

 private:
  Status PassOnIfDue() { return Clock::now() < next_write_ ? Status() : PassOn(); }

  Status PassOn() {
    if (wanted_ <= written_) return {};
    next_write_ = Clock::now() + kWriteInterval;
    TRY_VOID(WriteAcknowledged(state_dir_, wanted_).Context("state_dir"));
    written_ = wanted_;
    stream_->SetAcknowledged(wanted_);
    return {};
  }

  std::unique_ptr<postgres::ReplicationStream> stream_;
  const std::string state_dir_;
  Lsn wanted_;
  Lsn written_;
  Clock::time_point next_write_;
};

}  // namespace

std::string AcknowledgedFile(const std::string& state_dir) { return state_dir + "/acknowledged"; }

Result<std::optional<Lsn>> ReadAcknowledged(const std::string& state_dir) {
  std::ifstream file(AcknowledgedFile(state_dir));
  std::string text;
  if (!file || !std::getline(file, text)) return std::optional<Lsn>();
  TRY(const Lsn lsn, Lsn::Parse(text).Context("{}, which may be deleted", AcknowledgedFile(state_dir)));
  return lsn;
}

Status ForgetAcknowledged(const std::string& state_dir) {
  const std::string path = AcknowledgedFile(state_dir);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return FileError("removing " + path, errno).WithContext("state_dir");
  return {};
}

Result<std::unique_ptr<postgres::ReplicationStream>> RecordAcknowledged(
    std::unique_ptr<postgres::ReplicationStream> stream, std::string state_dir, Lsn known) {
  TRY(const auto written, ReadAcknowledged(state_dir));
  if (written.value_or(Lsn{}) < known) TRY_VOID(WriteAcknowledged(state_dir, known).Context("state_dir"));
  return std::make_unique<RecordingStream>(std::move(stream), std::move(state_dir));
}

}  // namespace firn::pipeline
