// A table of text in columns, for stdout:
//
//   TABLE          STATE            ROWS
//   public.orders  streaming   1,200,000
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace firn::cli {

enum class Align : uint8_t { kLeft, kRight };
enum class Ink : uint8_t { kPlain, kBold, kQuiet, kGood, kBusy, kBad };

/// Whether stdout is a terminal that shows colours, and NO_COLOR does not forbid them.
bool StdoutHasColours();
/// Of the terminal that stdout is; npos where it is none, or doesn't say.
size_t StdoutColumns();
/// `text` between the ANSI codes of `ink`, or as it is.
std::string Inked(std::string_view text, Ink ink, bool colours);

class TextTable {
 public:
  struct Column {
    std::string title;
    Align align = Align::kLeft;
    /// Where all columns are too wide: those with the highest are left out first; one with 0 never is.
    int dispensable = 0;
  };
  struct Cell {
    std::string text;
    Ink ink = Ink::kPlain;
    Cell() = default;
    Cell(std::string t, Ink i = Ink::kPlain) : text(std::move(t)), ink(i) {}
    Cell(const char* t) : text(t) {}
  };
  /// `colours`: titles and cells in their ink.
  explicit TextTable(std::vector<Column> columns, bool colours = false)
      : columns_(std::move(columns)), colours_(colours) {}

  /// Missing cells are empty; cells past the last column are left out.
  void AddRow(std::vector<Cell> cells);
  bool empty() const { return rows_.empty(); }

  /// The titles and the rows, one a line, without spaces at the ends of lines. Lines are at most `width` long: columns
  /// are left out, then the texts of those on the left are shortened.
  std::string Render(size_t width = std::string::npos) const;

 private:
  /// Of each column; 0 for one that is left out.
  std::vector<size_t> Widths(size_t width) const;

  std::vector<Column> columns_;
  bool colours_;
  std::vector<std::vector<Cell>> rows_;
};

/// The columns that `utf8` takes on a terminal, each code point counted as one.
size_t DisplayWidth(std::string_view utf8);
/// `text` safe for a terminal: control characters become '?'.
std::string Printable(std::string_view text);
/// At most `width` columns of `text`; where something is left out the last one is "…".
std::string Shortened(std::string_view text, size_t width);

}  // namespace firn::cli
