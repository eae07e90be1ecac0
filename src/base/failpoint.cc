#include "base/failpoint.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <optional>
#include <thread>

#include "base/try.h"

namespace firn {
namespace {

enum class Action : uint8_t { kNone, kKill, kError, kFullDisk, kSlow };

constexpr std::chrono::milliseconds kSlowStep{250};

struct Wanted {
  Action action = Action::kNone;
  int64_t at = 1;  ///< The number of the time that the point is reached.
};

struct Point {
  Wanted wanted;
  std::atomic<int64_t> reached = 0;
};

/// By Failpoint. Filled by ArmFailpoints before other threads start; from then on only the counts change.
std::array<Point, kFailpointNames.size()>& Points() {
  static std::array<Point, kFailpointNames.size()> points;
  return points;
}

std::optional<Action> ParseAction(std::string_view name) {
  if (name == "kill") return Action::kKill;
  if (name == "error") return Action::kError;
  if (name == "enospc") return Action::kFullDisk;
  if (name == "slow") return Action::kSlow;
  return std::nullopt;
}

/// One of "name=action" and "name=action@n".
Status ArmOne(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    return MakeError(ErrorKind::kInvalidConfig, "FIRN_FAILPOINTS: \"{}\" {}; it takes NAME=kill|error|enospc|slow[@N]",
                     text, why);
  };
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) return wrong("names no action");
  const auto name = std::ranges::find(kFailpointNames, text.substr(0, equals));
  if (name == kFailpointNames.end()) return wrong("names no failpoint");
  const std::string_view rest = text.substr(equals + 1);
  const size_t at_sign = std::min(rest.find('@'), rest.size());
  const auto action = ParseAction(rest.substr(0, at_sign));
  if (!action) return wrong("names no action");
  if (*action != Action::kKill && name->ends_with(".after")) return wrong("can't fail, it has been done");
  Wanted wanted{.action = *action};
  if (at_sign < rest.size()) {
    const std::string_view number = rest.substr(at_sign + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), wanted.at);
    if (error != std::errc() || end != number.data() + number.size() || wanted.at < 1) return wrong("counts from 1");
  }
  Points()[static_cast<size_t>(name - kFailpointNames.begin())].wanted = wanted;
  return {};
}

/// What is to be done this time.
Action Reach(Failpoint failpoint) {
  Point& point = Points()[static_cast<size_t>(failpoint)];
  if (point.wanted.action == Action::kNone) return Action::kNone;
  const int64_t reached = ++point.reached;
  if (point.wanted.action == Action::kSlow && reached >= point.wanted.at) std::this_thread::sleep_for(kSlowStep);
  if (point.wanted.action == Action::kSlow || reached != point.wanted.at) return Action::kNone;
  if (point.wanted.action != Action::kKill) return point.wanted.action;
  ::kill(::getpid(), SIGKILL);
  while (true) ::pause();  // The signal comes at once, yet not to this thread first.
}

}  // namespace

Status ArmFailpoints(std::string_view wanted) {
  for (Point& point : Points()) {
    point.wanted = {};
    point.reached = 0;
  }
  failpoints::armed = !wanted.empty();
  while (!wanted.empty()) {
    const size_t comma = std::min(wanted.find(','), wanted.size());
    TRY_VOID(ArmOne(wanted.substr(0, comma)));
    wanted.remove_prefix(std::min(comma + 1, wanted.size()));
  }
  return {};
}

Status failpoints::Fail(Failpoint point) {
  if (Reach(point) == Action::kNone) return {};
  return MakeError(ErrorKind::kTransient, "failpoint {} was asked for by FIRN_FAILPOINTS",
                   kFailpointNames[static_cast<size_t>(point)]);
}

int failpoints::FailWithErrno(Failpoint point) {
  switch (Reach(point)) {
    case Action::kNone:
    case Action::kKill:
    case Action::kSlow:
      return 0;
    case Action::kError:
      return EIO;
    case Action::kFullDisk:
      return ENOSPC;
  }
  return 0;
}

}  // namespace firn
