#include "cli/progress_display.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "cli/human_numbers.h"
#include "cli/text_table.h"
#include "observe/log.h"

namespace firn::cli {
namespace {

using std::chrono::duration;
using namespace std::chrono_literals;

constexpr auto kRedrawInterval = 100ms;
constexpr auto kLineInterval = 5s;
constexpr auto kRateWindow = 10s;
constexpr auto kSampleInterval = 100ms;
constexpr size_t kMaxBars = 8;
constexpr size_t kMaxNameWidth = 32;
constexpr size_t kMinBarWidth = 8;
constexpr size_t kMaxBarWidth = 40;
constexpr size_t kMinColumns = 20;

/// Done, as a share of the estimate. The estimate is the planner's, so a copy that passes it is nearly done at best;
/// nothing when there is none.
std::optional<double> Share(const TableStatus& status) {
  if (status.rows_estimated <= 0) return std::nullopt;
  return std::min(0.99, static_cast<double>(status.rows_copied) / static_cast<double>(status.rows_estimated));
}

std::optional<double> SecondsLeft(const TableStatus& status, double rows_per_second) {
  if (rows_per_second <= 0 || status.rows_estimated <= status.rows_copied) return std::nullopt;
  return static_cast<double>(status.rows_estimated - status.rows_copied) / rows_per_second;
}

std::string Rate(double rows_per_second) { return FormatCount(static_cast<int64_t>(rows_per_second)) + " rows/s"; }

std::string Percent(double share) { return fmt::format("{:.0f}%", share * 100); }

/// "[=====>    ]", `width` columns wide.
std::string Bar(double share, size_t width) {
  const size_t inner = width - 2;
  const auto filled = static_cast<size_t>(share * static_cast<double>(inner));
  std::string bar(filled, '=');
  if (filled < inner) bar += '>';
  bar.resize(inner, ' ');
  return "[" + bar + "]";
}

size_t CountOf(const PipelineStatus& status, TableState state) {
  return static_cast<size_t>(std::ranges::count(status.tables, state, &TableStatus::state));
}

std::string Summary(const PipelineStatus& status) {
  const size_t parked = CountOf(status, TableState::kParked);
  return fmt::format("{} of {} tables copied, {} copying, {} waiting{}", CountOf(status, TableState::kStreaming),
                     status.tables.size(), CountOf(status, TableState::kCopying), CountOf(status, TableState::kPending),
                     parked > 0 ? fmt::format(", {} parked", parked) : "");
}

}  // namespace

ProgressRenderer::Output ProgressRenderer::Update(const PipelineStatus& status, TimePoint now, size_t columns) {
  Output output;
  for (const TableStatus& table : status.tables) Track(table, now);

  const bool copying = CountOf(status, TableState::kCopying) > 0;
  const bool waiting = CountOf(status, TableState::kPending) > 0;
  if (tables_copied_ > 1 && !copying && !waiting && first_copy_start_) {
    output.lines.push_back(
        {"copied tables",
         {{"tables", tables_copied_},
          {"rows", rows_copied_},
          {"duration_ms", std::chrono::floor<std::chrono::milliseconds>(now - *first_copy_start_).count()}}});
  }
  if (!copying && !waiting) {
    first_copy_start_.reset();
    tables_copied_ = 0;
    rows_copied_ = 0;
  }

  const auto interval =
      style_ == ProgressStyle::kLive ? duration<double>(kRedrawInterval) : duration<double>(kLineInterval);
  const bool due = !last_shown_ || now - *last_shown_ >= interval;
  if (style_ == ProgressStyle::kLive) {
    if (copying && due) {
      output.live = Bars(status, columns);
      live_shown_ = true;
      last_shown_ = now;
    } else if (!copying && live_shown_) {
      output.live = "";
      live_shown_ = false;
    }
  } else if (copying && due) {
    // A copy that is over within seconds needs only the line of its end, which the pipeline writes.
    if (last_shown_) {
      for (const TableStatus& table : status.tables) {
        if (table.state == TableState::kCopying) output.lines.push_back(LineOf(table));
      }
    }
    last_shown_ = now;
  }
  return output;
}

void ProgressRenderer::Track(const TableStatus& status, TimePoint now) {
  const auto [entry, is_new] = tables_.try_emplace(status.source);
  Table& table = entry->second;
  const TableState before = is_new ? status.state : table.state;
  table.state = status.state;

  if (status.state == TableState::kCopying) {
    if (!table.copy_start) table.copy_start = now;
    if (!first_copy_start_) first_copy_start_ = now;
    if (!table.samples.empty() && status.rows_copied < table.samples.back().rows) table.samples.clear();  // begun again
    while (table.samples.size() > 1 && now - table.samples.front().time > kRateWindow) table.samples.pop_front();
    if (table.samples.size() < 2 || now - table.samples[table.samples.size() - 2].time >= kSampleInterval) {
      table.samples.push_back({now, status.rows_copied});
    } else {
      table.samples.back() = {now, status.rows_copied};
    }
    return;
  }
  // A small table may be copied between two updates. One that was copied before this process says nothing.
  const bool was_copied_now =
      before == TableState::kCopying || (before == TableState::kPending && status.rows_copied > 0);
  if (status.state == TableState::kStreaming && was_copied_now) {
    ++tables_copied_;
    rows_copied_ += status.rows_copied;
  }
  table.copy_start.reset();
  table.samples.clear();
}

double ProgressRenderer::RowsPerSecond(const Table& table) const {
  if (table.samples.size() < 2) return 0;
  const Sample& first = table.samples.front();
  const Sample& last = table.samples.back();
  const double seconds = duration<double>(last.time - first.time).count();
  return seconds > 0 ? static_cast<double>(last.rows - first.rows) / seconds : 0;
}

ProgressRenderer::Line ProgressRenderer::LineOf(const TableStatus& status) const {
  const double rate = RowsPerSecond(tables_.at(status.source));
  Line line{"copying a table", {{"table", status.source}, {"rows", status.rows_copied}}};
  if (const auto share = Share(status)) {
    line.fields.emplace_back("rows_estimated", status.rows_estimated);
    line.fields.emplace_back("percent", std::llround(*share * 100));
  }
  if (rate > 0) line.fields.emplace_back("rows_per_second", std::llround(rate));
  if (const auto left = SecondsLeft(status, rate)) line.fields.emplace_back("seconds_left", std::llround(*left));
  return line;
}

std::string ProgressRenderer::Bars(const PipelineStatus& status, size_t columns) const {
  columns = std::max(columns, kMinColumns);
  struct Row {
    std::string name;
    std::optional<double> share;
    std::string copied;
    std::string rate;
    std::string left;

    /// 3: all of them.
    std::string Numbers(int shown) const {
      std::string text = copied;
      if (shown > 2 && !rate.empty()) text += "  " + rate;
      if (shown > 1 && !left.empty()) text += "  " + left;
      return text;
    }
  };
  std::vector<Row> rows;
  size_t name_width = 0;
  for (const TableStatus& table : status.tables) {
    if (table.state != TableState::kCopying || rows.size() == kMaxBars) continue;
    const double rate = RowsPerSecond(tables_.at(table.source));
    Row row{Shortened(Printable(table.source), std::min(kMaxNameWidth, columns / 2)), Share(table),
            FormatCount(table.rows_copied) + " rows", "", ""};
    if (rate > 0) row.rate = Rate(rate);
    if (const auto left = SecondsLeft(table, rate)) row.left = FormatSeconds(*left) + " left";
    name_width = std::max(name_width, DisplayWidth(row.name));
    rows.push_back(std::move(row));
  }
  // name, 2, bar, 1, "100%", 2, numbers: the bar gets what the rest leaves, and numbers go before the bar does.
  int shown = 3;
  const auto without_bar_now = [&] {
    size_t numbers_width = 0;
    for (const Row& row : rows) numbers_width = std::max(numbers_width, DisplayWidth(row.Numbers(shown)));
    return name_width + 2 + 1 + 4 + 2 + numbers_width;
  };
  while (shown > 1 && without_bar_now() + kMinBarWidth >= columns) --shown;
  const size_t without_bar = without_bar_now();
  const size_t bar_width = without_bar + kMinBarWidth < columns ? std::min(kMaxBarWidth, columns - 1 - without_bar) : 0;
  std::string text;
  for (const Row& row : rows) {
    std::string line = row.name + std::string(name_width - DisplayWidth(row.name) + 2, ' ');
    if (bar_width > 0) line += (row.share ? Bar(*row.share, bar_width) : std::string(bar_width, ' ')) + " ";
    line += fmt::format("{:>4}  {}", row.share ? Percent(*row.share) : "", row.Numbers(shown));
    text += Shortened(line, columns - 1) + "\n";  // the last column would wrap on some terminals
  }
  return text + Shortened(Summary(status), columns - 1) + "\n";
}

ProgressDisplay::ProgressDisplay() : renderer_(CanShowLiveText() ? ProgressStyle::kLive : ProgressStyle::kLines) {}

ProgressDisplay::~ProgressDisplay() { ShowLiveText(""); }

void ProgressDisplay::Update(const PipelineStatus& status) {
  winsize size{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  const auto output = renderer_.Update(status, std::chrono::steady_clock::now(), known ? size.ws_col : 80);
  for (const ProgressRenderer::Line& line : output.lines) LogFields(LogLevel::kInfo, line.message, line.fields);
  if (output.live) ShowLiveText(*output.live);
}

}  // namespace firn::cli
