# Compiler, linker and sanitizer settings for every target of the project.
find_program(FIRN_CCACHE ccache)
if(FIRN_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${FIRN_CCACHE})
endif()
find_program(FIRN_MOLD mold)
if(FIRN_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wno-missing-field-initializers -Wshadow
                    "$<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor;-Woverloaded-virtual>" -fdiagnostics-color=auto)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports these inside std::variant, std::expected and std::string at -O2 where nothing is wrong.
  add_compile_options(-Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds)
  # Precompiled headers and ccache agree only with this (ccache manual, "Precompiled headers").
  add_compile_options(-fpch-preprocess)
endif()
if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # A source that another includes looks like a header to g++.
  add_compile_options(-Wno-subobject-linkage)
endif()
if(FIRN_WARNINGS_AS_ERRORS)
  add_compile_options(-Werror)
endif()
if(FIRN_SANITIZE)
  add_compile_options(-fsanitize=${FIRN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  if(FIRN_SANITIZE MATCHES "address.*undefined")
    # A quarter of the build's time, for what ASan reports at the access itself, or (alignment) x86 and memcpy forgive.
    add_compile_options(-fno-sanitize=null,alignment,vptr,object-size)
  endif()
  add_link_options(-fsanitize=${FIRN_SANITIZE})
endif()
