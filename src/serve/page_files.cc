#include "serve/page_files.h"

#include <array>

// Made by the build; the linker puts them in before main, and nothing asks for them earlier.
extern const std::string_view FIRN_EMBEDDED_index_html;
extern const std::string_view FIRN_EMBEDDED_page_css;
extern const std::string_view FIRN_EMBEDDED_page_js;

namespace firn::serve {

std::span<const PageFile> PageFiles() {
  static const std::array<PageFile, 3> kFiles = {{
      {"/", "text/html; charset=utf-8", FIRN_EMBEDDED_index_html},
      {"/page.css", "text/css; charset=utf-8", FIRN_EMBEDDED_page_css},
      {"/page.js", "text/javascript; charset=utf-8", FIRN_EMBEDDED_page_js},
  }};
  return kFiles;
}

}  // namespace firn::serve
