// The page at http.listen: files of src/serve/page, which the build puts into the program (cmake/FirnEmbed.cmake).
#pragma once

#include <span>
#include <string_view>

namespace firn::serve {

struct PageFile {
  std::string_view path;  ///< "/", "/page.css"
  std::string_view content_type;
  std::string_view content;
};

std::span<const PageFile> PageFiles();

}  // namespace firn::serve
