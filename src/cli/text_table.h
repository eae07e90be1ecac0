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

class TextTable {
 public:
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };
  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// Missing cells are empty; cells past the last column are left out.
  void AddRow(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  /// The titles and the rows, one a line, without spaces at the ends of lines.
  std::string Render() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// The columns that `utf8` takes on a terminal, each code point counted as one.
size_t DisplayWidth(std::string_view utf8);
/// `text` safe for a terminal: control characters become '?'.
std::string Printable(std::string_view text);
/// At most `width` columns of `text`; where something is left out the last one is "…".
std::string Shortened(std::string_view text, size_t width);

}  // namespace firn::cli
