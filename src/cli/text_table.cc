#include "cli/text_table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace firn::cli {
namespace {

constexpr size_t kGap = 2;
/// A text is not made shorter than this.
constexpr size_t kShortest = 8;

std::string_view CodeOf(Ink ink) {
  switch (ink) {
    case Ink::kPlain:
      return "";
    case Ink::kBold:
      return "\x1b[1m";
    case Ink::kQuiet:
      return "\x1b[2m";
    case Ink::kGood:
      return "\x1b[32m";
    case Ink::kBusy:
      return "\x1b[36m";
    case Ink::kBad:
      return "\x1b[31m";
  }
  return "";
}

bool StartsCodePoint(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

}  // namespace

bool StdoutHasColours() {
  const char* term = std::getenv("TERM");
  const char* no_color = std::getenv("NO_COLOR");  // no-color.org: set and not empty
  return term != nullptr && std::string_view(term) != "dumb" && (no_color == nullptr || *no_color == '\0') &&
         isatty(STDOUT_FILENO) == 1;
}

size_t StdoutColumns() {
  winsize size{};
  const bool known = isatty(STDOUT_FILENO) == 1 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : std::string::npos;
}

std::string Inked(std::string_view text, Ink ink, bool colours) {
  if (!colours || ink == Ink::kPlain || text.empty()) return std::string(text);
  return std::string(CodeOf(ink)) + std::string(text) + "\x1b[0m";
}

size_t DisplayWidth(std::string_view utf8) { return static_cast<size_t>(std::ranges::count_if(utf8, StartsCodePoint)); }

std::string Printable(std::string_view text) {
  std::string out(text);
  std::ranges::replace_if(out, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return out;
}

std::string Shortened(std::string_view text, size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  if (width == 0) return "";
  size_t end = 0;
  for (size_t seen = 0; end < text.size(); ++end) {
    if (StartsCodePoint(text[end]) && ++seen == width) break;
  }
  return std::string(text.substr(0, end)) + "…";
}

void TextTable::AddRow(std::vector<Cell> cells) {
  cells.resize(columns_.size());
  for (Cell& cell : cells) cell.text = Printable(cell.text);
  rows_.push_back(std::move(cells));
}

std::vector<size_t> TextTable::Widths(size_t width) const {
  std::vector<size_t> widths;
  size_t all = 0;
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t widest = DisplayWidth(columns_[i].title);
    for (const auto& row : rows_) widest = std::max(widest, DisplayWidth(row[i].text));
    widths.push_back(widest);
    all += widest + (i > 0 ? kGap : 0);
  }
  while (all > width) {
    size_t least = 0;  // The first column is never left out.
    for (size_t i = 1; i < columns_.size(); ++i) {
      if (widths[i] > 0 && columns_[i].dispensable > columns_[least].dispensable) least = i;
    }
    if (least == 0) break;
    all -= std::exchange(widths[least], 0) + kGap;
  }
  while (all > width) {
    size_t longest = columns_.size();
    for (size_t i = 0; i < columns_.size(); ++i) {
      const bool can_shrink = columns_[i].align == Align::kLeft && widths[i] > kShortest;
      if (can_shrink && (longest == columns_.size() || widths[i] > widths[longest])) longest = i;
    }
    if (longest == columns_.size()) break;
    --widths[longest];
    --all;
  }
  return widths;
}

std::string TextTable::Render(size_t width) const {
  std::vector<Cell> titles;
  for (const Column& column : columns_) titles.emplace_back(column.title, Ink::kQuiet);
  const std::vector<size_t> widths = Widths(width);
  std::string out;
  const auto add_line = [&](const std::vector<Cell>& cells) {
    std::string line;
    size_t pending = 0;  // Spaces, which only come before something.
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (widths[i] == 0) continue;
      const std::string text = Shortened(cells[i].text, widths[i]);
      const size_t padding = widths[i] - DisplayWidth(text);
      const bool right = columns_[i].align == Align::kRight;
      if (i > 0) pending += kGap;
      if (right) pending += padding;
      if (!text.empty()) {
        line.append(std::exchange(pending, 0), ' ');
        line += Inked(text, cells[i].ink, colours_);
      }
      if (!right) pending += padding;
    }
    out += line + "\n";
  };
  add_line(titles);
  for (const auto& row : rows_) add_line(row);
  return out;
}

}  // namespace firn::cli
