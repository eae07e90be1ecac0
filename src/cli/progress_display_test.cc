#include "cli/progress_display.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "cli/text_table.h"
#include "observe/log_line.h"

namespace firn::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

const ProgressRenderer::TimePoint kStart{1000s};
constexpr size_t kColumns = 100;

TableStatus Table(const std::string& name, TableState state, int64_t copied, int64_t estimated) {
  TableStatus table;
  table.source = name;
  table.state = state;
  table.rows_copied = copied;
  table.rows_estimated = estimated;
  return table;
}
TableStatus Copying(int64_t copied, int64_t estimated = 5'000'000) {
  return Table("public.orders", TableState::kCopying, copied, estimated);
}
PipelineStatus Status(std::vector<TableStatus> tables) {
  PipelineStatus status;
  status.tables = std::move(tables);
  return status;
}

/// As the log writes them, without the time and the level.
std::vector<std::string> Texts(const ProgressRenderer::Output& output) {
  std::vector<std::string> texts;
  for (const ProgressRenderer::Line& line : output.lines) {
    const std::string text = FormatTextLine({}, LogLevel::kInfo, line.message, line.fields, /*colour=*/false);
    texts.push_back(text.substr(text.find("INFO  ") + 6));
  }
  return texts;
}

TEST(ProgressLines, TellRowsShareRateAndTimeLeft) {
  ProgressRenderer renderer(ProgressStyle::kLines);
  EXPECT_THAT(Texts(renderer.Update(Status({Copying(0)}), kStart, kColumns)), ElementsAre());
  EXPECT_THAT(Texts(renderer.Update(Status({Copying(2'050'000)}), kStart + 5s, kColumns)),
              ElementsAre("copying a table table=public.orders rows=2050000 rows_estimated=5000000 percent=41 "
                          "rows_per_second=410000 seconds_left=7"));
}

TEST(ProgressLines, ComeAtMostEveryFiveSeconds) {
  ProgressRenderer renderer(ProgressStyle::kLines);
  size_t lines = 0;
  for (int i = 0; i <= 200; ++i) {
    const auto output = renderer.Update(Status({Copying(i * 100)}), kStart + i * 100ms, kColumns);
    lines += output.lines.size();
    EXPECT_FALSE(output.live.has_value());
  }
  EXPECT_EQ(lines, 4U);
}

TEST(ProgressLines, LeaveOutWhatIsNotKnown) {
  ProgressRenderer renderer(ProgressStyle::kLines);
  (void)renderer.Update(Status({Copying(0, 0)}), kStart, kColumns);
  EXPECT_THAT(Texts(renderer.Update(Status({Copying(50, 0)}), kStart + 5s, kColumns)),
              ElementsAre("copying a table table=public.orders rows=50 rows_per_second=10"));
  EXPECT_THAT(
      Texts(renderer.Update(Status({Copying(100, 40)}), kStart + 10s, kColumns)),
      ElementsAre("copying a table table=public.orders rows=100 rows_estimated=40 percent=99 rows_per_second=10"));
}

TEST(ProgressLines, TellWhenAllTablesAreCopied) {
  ProgressRenderer renderer(ProgressStyle::kLines);
  auto items = Table("public.items", TableState::kPending, 0, 10);
  (void)renderer.Update(Status({Copying(0), items}), kStart, kColumns);
  const auto orders = Table("public.orders", TableState::kStreaming, 5'000'123, 5'000'000);
  EXPECT_THAT(Texts(renderer.Update(Status({orders, items}), kStart + 2s, kColumns)), ElementsAre())
      << "the pipeline itself tells of each";
  items = Table("public.items", TableState::kStreaming, 12, 10);
  EXPECT_THAT(Texts(renderer.Update(Status({orders, items}), kStart + 3s, kColumns)),
              ElementsAre("copied tables tables=2 rows=5000135 duration_ms=3000"));
  EXPECT_THAT(Texts(renderer.Update(Status({orders, items}), kStart + 4s, kColumns)), ElementsAre());
}

TEST(ProgressLines, AreSilentAboutTablesCopiedBefore) {
  ProgressRenderer renderer(ProgressStyle::kLines);
  (void)renderer.Update(Status({Table("a.b", TableState::kPending, 0, 10)}), kStart, kColumns);
  EXPECT_THAT(Texts(renderer.Update(
                  Status({Table("a.b", TableState::kStreaming, 0, 10), Table("a.c", TableState::kStreaming, 99, 10)}),
                  kStart + 9s, kColumns)),
              ElementsAre());
}

TEST(ProgressLines, RateFollowsTheLastSeconds) {
  ProgressRenderer renderer(ProgressStyle::kLines);
  int64_t rows = 0;
  for (int i = 0; i <= 200; ++i) (void)renderer.Update(Status({Copying(rows += 100)}), kStart + i * 100ms, kColumns);
  // 1,000 rows/s for 20 s, then nothing for 10 s.
  const auto output = renderer.Update(Status({Copying(rows)}), kStart + 30s, kColumns);
  EXPECT_THAT(Texts(output),
              ElementsAre("copying a table table=public.orders rows=20100 rows_estimated=5000000 percent=0"));
}

TEST(ProgressLines, StartTheRateAgainWhenTheCopyDoes) {
  ProgressRenderer renderer(ProgressStyle::kLines);
  (void)renderer.Update(Status({Copying(1'000'000)}), kStart, kColumns);
  (void)renderer.Update(Status({Copying(0)}), kStart + 1s, kColumns);
  EXPECT_THAT(Texts(renderer.Update(Status({Copying(400)}), kStart + 5s, kColumns)),
              ElementsAre(HasSubstr(" rows_per_second=100 ")));
}

TEST(ProgressBars, ShowABarForEachTableAndASummary) {
  ProgressRenderer renderer(ProgressStyle::kLive);
  const auto items = Table("public.items", TableState::kCopying, 0, 0);
  const auto waiting = Table("public.last", TableState::kPending, 0, 0);
  (void)renderer.Update(Status({Copying(0), items, waiting}), kStart, 80);
  const auto output = renderer.Update(Status({Copying(2'500'000), items, waiting}), kStart + 5s, 80);
  EXPECT_EQ(output.live.value_or(""),
            "public.orders  [======>      ]  50%  2,500,000 rows  500,000 rows/s  5.0 s left\n"
            "public.items                         0 rows\n"
            "0 of 3 tables copied, 2 copying, 1 waiting\n");
}

TEST(ProgressBars, GoBeforeNumbersOnANarrowTerminal) {
  ProgressRenderer renderer(ProgressStyle::kLive);
  (void)renderer.Update(Status({Copying(0)}), kStart, 60);
  EXPECT_THAT(renderer.Update(Status({Copying(2'500'000)}), kStart + 5s, 60).live.value_or(""),
              HasSubstr("public.orders  [====>    ]  50%  2,500,000 rows  5.0 s left\n"));
  EXPECT_THAT(renderer.Update(Status({Copying(2'600'000)}), kStart + 6s, 46).live.value_or(""),
              HasSubstr("%  2,600,000 rows\n"));
}

TEST(ProgressBars, AreDrawnAtMostTenTimesASecond) {
  ProgressRenderer renderer(ProgressStyle::kLive);
  int drawn = 0;
  for (int i = 0; i < 1000; ++i) {
    if (renderer.Update(Status({Copying(i)}), kStart + i * 1ms, kColumns).live) ++drawn;
  }
  EXPECT_EQ(drawn, 10);
}

TEST(ProgressBars, FitTheTerminal) {
  for (size_t columns = 20; columns < 140; ++columns) {
    ProgressRenderer renderer(ProgressStyle::kLive);
    auto table = Table("a_very_long_schema_name.and_a_table_with_a_longer_name", TableState::kCopying, 0, 5'000'000);
    (void)renderer.Update(Status({table}), kStart, columns);
    table.rows_copied = 1'234'567;
    std::istringstream live(renderer.Update(Status({table}), kStart + 1s, columns).live.value_or(""));
    for (std::string line; std::getline(live, line);) EXPECT_LT(DisplayWidth(line), columns) << line;
  }
}

TEST(ProgressBars, AreLimitedInNumber) {
  ProgressRenderer renderer(ProgressStyle::kLive);
  std::vector<TableStatus> tables;
  for (int i = 0; i < 40; ++i) tables.push_back(Table("t." + std::to_string(i), TableState::kCopying, i, 100));
  const std::string live = renderer.Update(Status(tables), kStart, kColumns).live.value_or("");
  EXPECT_EQ(std::ranges::count(live, '\n'), 9);
  EXPECT_THAT(live, HasSubstr("0 of 40 tables copied, 40 copying, 0 waiting\n"));
}

TEST(ProgressBars, GoAwayAtTheEnd) {
  ProgressRenderer renderer(ProgressStyle::kLive);
  (void)renderer.Update(Status({Copying(0)}), kStart, kColumns);
  const auto done = Status({Table("public.orders", TableState::kStreaming, 7, 7)});
  const auto output = renderer.Update(done, kStart + 10ms, kColumns);
  EXPECT_EQ(output.live, "");
  EXPECT_THAT(Texts(output), ElementsAre());
  EXPECT_FALSE(renderer.Update(done, kStart + 20ms, kColumns).live.has_value());
}

TEST(ProgressBars, KeepControlCharactersFromTheTerminal) {
  ProgressRenderer renderer(ProgressStyle::kLive);
  const auto output = renderer.Update(Status({Table("a.\x1b[2J", TableState::kCopying, 0, 0)}), kStart, kColumns);
  EXPECT_THAT(output.live.value_or(""), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace firn::cli
