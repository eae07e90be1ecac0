# Run by firn_embed at build time: writes OUTPUT from FILES.
set(text "// Made by firn_embed.\n#include <string_view>\n\n")
foreach(path IN LISTS FILES)
  get_filename_component(name ${path} NAME)
  string(REPLACE "." "_" name ${name})
  file(READ ${path} bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
  string(APPEND text "static constexpr char kBytes_${name}[] = {${bytes}};\n"
                     "extern const std::string_view FIRN_EMBEDDED_${name};\n"
                     "const std::string_view FIRN_EMBEDDED_${name}(kBytes_${name}, sizeof(kBytes_${name}));\n")
endforeach()
file(WRITE ${OUTPUT} "${text}")
