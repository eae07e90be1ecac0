#include "base/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/descriptor.h"

namespace firn {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kTimeToEnd{10};
/// How late a stop request is noticed, at most.
constexpr int kPollMs = 100;

struct Pipe {
  Descriptor read_end;
  Descriptor write_end;
};

Result<Pipe> MakePipe() {
  std::array<int, 2> fds{};
  if (pipe2(fds.data(), O_CLOEXEC) != 0) return MakeError(ErrorKind::kTransient, "pipe: {}", std::strerror(errno));
  return Pipe{Descriptor(fds[0]), Descriptor(fds[1])};
}

/// One stream of the child's output, cut into lines.
class LineReader {
 public:
  LineReader(OutputStream stream, Descriptor fd, const ChildCommand& command)
      : stream_(stream), fd_(std::move(fd)), command_(command) {}

  int fd() const { return fd_.get(); }
  /// To be called when there is something to read; closes the stream at its end.
  void Read() {
    std::array<char, 1 << 16> buffer;
    const ssize_t count = read(fd_.get(), buffer.data(), buffer.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (count <= 0) {
      if (!line_.empty()) Give();
      fd_.Close();
      return;
    }
    for (const char c : std::string_view(buffer.data(), static_cast<size_t>(count))) {
      if (c != '\n') line_ += c;
      if (c == '\n' || line_.size() >= kChildLineBytesMax) Give();
    }
  }

 private:
  void Give() {
    if (command_.on_line) command_.on_line(stream_, line_);
    line_.clear();
  }

  const OutputStream stream_;
  Descriptor fd_;
  const ChildCommand& command_;
  std::string line_;
};

std::vector<std::string> EnvironmentOf(const ChildCommand& command) {
  std::vector<std::string> environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (!command.environment.contains(std::string(text.substr(0, text.find('='))))) environment.emplace_back(text);
  }
  for (const auto& [name, value] : command.environment) {
    if (!value.empty()) environment.push_back(name + "=" + value);
  }
  return environment;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// In a group of its own, with no signal blocked or ignored that this process blocks or ignores.
Result<pid_t> Spawn(const ChildCommand& command, int stdout_fd, int stderr_fd) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, stdout_fd, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, stderr_fd, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t signals;
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes, &signals);
  sigaddset(&signals, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);

  std::vector<std::string> arguments = command.arguments;
  std::vector<std::string> environment = EnvironmentOf(command);
  pid_t pid = 0;
  const int failed = posix_spawnp(&pid, arguments.front().c_str(), &actions, &attributes, Pointers(arguments).data(),
                                  Pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (failed == 0) return pid;
  const ErrorKind kind = failed == ENOENT   ? ErrorKind::kNotFound
                         : failed == EACCES ? ErrorKind::kPermission
                                            : ErrorKind::kTransient;
  return MakeError(kind, "{} can't be run: {}", command.arguments.front(), std::strerror(failed));
}

}  // namespace

Result<int> RunChild(const ChildCommand& command, const std::stop_token& stop) {
  auto out = MakePipe();
  if (!out) return out.error();
  auto err = MakePipe();
  if (!err) return err.error();
  const auto pid = Spawn(command, out->write_end.get(), err->write_end.get());
  if (!pid) return pid.error();
  out->write_end.Close();
  err->write_end.Close();

  std::array<LineReader, 2> readers{LineReader(OutputStream::kStdout, std::move(out->read_end), command),
                                    LineReader(OutputStream::kStderr, std::move(err->read_end), command)};
  bool is_stopped = false;
  bool is_killed = false;
  Clock::time_point kill_at;
  while (readers[0].fd() >= 0 || readers[1].fd() >= 0) {
    if (stop.stop_requested() && !std::exchange(is_stopped, true)) {
      kill(-*pid, SIGTERM);
      kill_at = Clock::now() + kTimeToEnd;
    }
    if (is_stopped && !is_killed && Clock::now() >= kill_at) {
      is_killed = true;
      kill(-*pid, SIGKILL);
    }
    // poll leaves out negative descriptors.
    std::array<pollfd, 2> polled{pollfd{readers[0].fd(), POLLIN, 0}, pollfd{readers[1].fd(), POLLIN, 0}};
    if (poll(polled.data(), polled.size(), kPollMs) <= 0) continue;
    for (size_t i = 0; i < readers.size(); ++i) {
      if (polled[i].revents != 0) readers[i].Read();
    }
  }
  int status = 0;
  while (waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (is_stopped) return MakeError(ErrorKind::kCancelled, "stopped on request");
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace firn
