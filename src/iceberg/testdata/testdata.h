// Files of this folder, for the tests beside it.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace firn::iceberg {

inline std::string ReadTestdata(const std::string& name) {
  std::ifstream file(std::filesystem::path(__FILE__).parent_path() / name, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace firn::iceberg
