# What `cmake --install` puts below a prefix, and `cpack -G DEB` into packages:
#
#   component program      bin/firn, lib/firn/ (Arrow's libraries, where they come from the wheel), systemd unit,
#                          completions, documents, licenses, etc/firn/firn.yaml.example       ──► firn_VERSION_ARCH.deb
#   component runtime      lib/libfirn.so.0.1, which programs in C are linked to                ──► libfirn0.1_….deb
#   component development  include/firn, lib/libfirn.a, lib/libfirn.so, lib/cmake/firn,
#                          lib/pkgconfig/firn.pc                                               ──► libfirn-dev_….deb
#
# The program finds Arrow's libraries relative to its own place, so that a prefix may lie anywhere and be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(FIRN_PRIVATE_LIBRARIES ${CMAKE_INSTALL_LIBDIR}/firn)
set(FIRN_CMAKE_PACKAGE ${CMAKE_INSTALL_LIBDIR}/cmake/firn)
file(RELATIVE_PATH _firn_from_bin /p/${CMAKE_INSTALL_BINDIR} /p/${FIRN_PRIVATE_LIBRARIES})

# --- The library: the rooms behind its headers, in one archive ---

set(_firn_rooms base observe http storage postgres iceberg catalog encode index pipeline maintenance config lake
                destination serve cli_display cli_settings cli_spark run)
set(_firn_objects)
foreach(room IN LISTS _firn_rooms)
  list(APPEND _firn_objects $<TARGET_OBJECTS:firn_${room}>)
endforeach()
list(APPEND _firn_objects $<TARGET_OBJECTS:firn_c_objects>)
add_library(firn_library STATIC ${_firn_objects})
set_target_properties(firn_library PROPERTIES OUTPUT_NAME firn EXPORT_NAME firn LINKER_LANGUAGE CXX
                                              ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
target_compile_features(firn_library INTERFACE cxx_std_23)
target_include_directories(firn_library INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
# firnConfig.cmake finds what stands here.
target_link_libraries(firn_library INTERFACE
  fmt::fmt spdlog::spdlog prometheus-cpp::core RocksDB::rocksdb-shared PostgreSQL::PostgreSQL SQLite::SQLite3 CURL::libcurl
  OpenSSL::Crypto roaring::roaring Threads::Threads yaml-cpp PkgConfig::httplib
  $<BUILD_INTERFACE:firn::parquet> $<BUILD_INTERFACE:firn::arrow_s3>
  $<INSTALL_INTERFACE:firn::arrow_libraries>)
add_library(firn::firn ALIAS firn_library)

# --- Program ---

set_target_properties(firn PROPERTIES INSTALL_RPATH "$ORIGIN/${_firn_from_bin}")
install(TARGETS firn RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
if(FIRN_PYARROW_DIR)
  foreach(library arrow arrow_compute arrow_s3 parquet)
    install(FILES ${FIRN_PYARROW_DIR}/lib${library}.so.2600 DESTINATION ${FIRN_PRIVATE_LIBRARIES} COMPONENT program)
  endforeach()
  file(GLOB _firn_arrow_licenses ${FIRN_PYARROW_DIR}/../pyarrow-*.dist-info/licenses/*.txt
       ${FIRN_PYARROW_DIR}/../pyarrow-*.dist-info/LICENSE.txt ${FIRN_PYARROW_DIR}/../pyarrow-*.dist-info/NOTICE.txt)
  install(FILES ${_firn_arrow_licenses} DESTINATION ${CMAKE_INSTALL_DOCDIR}/arrow COMPONENT program)
endif()
file(GLOB _firn_licenses ${PROJECT_SOURCE_DIR}/LICENSE* ${PROJECT_SOURCE_DIR}/NOTICE*)
install(FILES README.md ARCHITECTURE.md ${_firn_licenses} deploy/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR}
        COMPONENT program)
install(FILES deploy/debian/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libfirn${FIRN_SOVERSION} COMPONENT runtime)
install(FILES deploy/debian/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libfirn-dev COMPONENT development)
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(DIRECTORY deploy/prometheus deploy/grafana deploy/kubernetes deploy/helm DESTINATION ${CMAKE_INSTALL_DOCDIR}/deploy
        COMPONENT program)

# The program itself writes its example and its completions.
set(_firn_written ${CMAKE_BINARY_DIR}/written-by-firn)
install(CODE "
  file(MAKE_DIRECTORY \"${_firn_written}\")
  foreach(text \"config;example;firn.yaml.example\" \"completion;bash;firn\" \"completion;zsh;_firn\" \"completion;fish;firn.fish\")
    list(GET text 0 command)
    list(GET text 1 argument)
    list(GET text 2 file)
    execute_process(COMMAND \"$<TARGET_FILE:firn>\" \${command} \${argument} OUTPUT_FILE \"${_firn_written}/\${file}\" COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
  # The units name the program where it is installed.
  set(FIRN_PROGRAM \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/firn\")
  set(FIRN_INSTANCE_ENVIRONMENT \"\")
  foreach(unit \"firn.service;/etc/firn/firn.yaml\" \"firn@.service;/etc/firn/%i.yaml\")
    list(GET unit 0 file)
    list(GET unit 1 FIRN_CONFIG)
    if(file STREQUAL \"firn@.service\")
      set(FIRN_INSTANCE_ENVIRONMENT \"\\nEnvironmentFile=-/etc/default/firn-%i\")
    endif()
    configure_file(\"${PROJECT_SOURCE_DIR}/deploy/systemd/firn.service.in\" \"${_firn_written}/\${file}\" @ONLY)
  endforeach()
  # As GNU's rules have it, /etc goes with the prefix /usr.
  if(CMAKE_INSTALL_PREFIX STREQUAL \"/usr\")
    set(etc /etc)
  else()
    set(etc \"\${CMAKE_INSTALL_PREFIX}/etc\")
  endif()
  file(INSTALL DESTINATION \"\${etc}/firn\" TYPE FILE FILES \"${_firn_written}/firn.yaml.example\")
" COMPONENT program)
install(FILES ${_firn_written}/firn DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT program)
install(FILES ${_firn_written}/_firn DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT program)
install(FILES ${_firn_written}/firn.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT program)
install(FILES ${_firn_written}/firn.service ${_firn_written}/firn@.service DESTINATION lib/systemd/system COMPONENT program)

# --- Development files ---

install(DIRECTORY include/firn DESTINATION include COMPONENT development)
set_target_properties(firn_c PROPERTIES INSTALL_RPATH "$ORIGIN/firn" EXPORT_NAME c)
target_include_directories(firn_c INTERFACE $<INSTALL_INTERFACE:include>)
install(TARGETS firn_library firn_c EXPORT firn
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development)
install(EXPORT firn NAMESPACE firn:: FILE firnTargets.cmake DESTINATION ${FIRN_CMAKE_PACKAGE} COMPONENT development)
if(FIRN_PYARROW_DIR)
  set(FIRN_ARROW_IS_BUNDLED ON)
else()
  set(FIRN_ARROW_IS_BUNDLED OFF)
endif()
configure_package_config_file(cmake/firnConfig.cmake.in ${CMAKE_BINARY_DIR}/firnConfig.cmake
                              INSTALL_DESTINATION ${FIRN_CMAKE_PACKAGE} PATH_VARS FIRN_PRIVATE_LIBRARIES)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/firnConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/firnConfig.cmake ${CMAKE_BINARY_DIR}/firnConfigVersion.cmake
        DESTINATION ${FIRN_CMAKE_PACKAGE} COMPONENT development)
file(RELATIVE_PATH _firn_from_pkgconfig /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
configure_file(cmake/firn.pc.in ${CMAKE_BINARY_DIR}/firn.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/firn.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
install(FILES examples/destination.cc examples/destination.c DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT development)

# --- Packages ---

set(CPACK_PACKAGE_NAME firn)
set(CPACK_PACKAGE_VENDOR "the firn developers")
# A package wants an address. Nobody is at this one, which says so; who publishes packages names his own.
set(FIRN_PACKAGE_MAINTAINER "the firn developers <nobody@firn.invalid>" CACHE STRING "The Debian packages' maintainer, NAME <ADDRESS>")
set(CPACK_PACKAGE_CONTACT "${FIRN_PACKAGE_MAINTAINER}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_GENERATOR DEB)
set(CPACK_COMPONENTS_ALL program runtime development)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_STRIP_FILES ON)
# Files outside of the prefix (/etc), and units that name the place of the program.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE zstd)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
if(FIRN_PYARROW_DIR)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${FIRN_PYARROW_DIR})
endif()
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME firn)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PROGRAM_DESCRIPTION "A fast first copy, then every INSERT, UPDATE, DELETE and TRUNCATE as it is
 committed, exactly once, readable by every Iceberg engine. This is the program.")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_DEPENDS "adduser, ca-certificates")
set(_firn_debian ${PROJECT_SOURCE_DIR}/deploy/debian)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_CONTROL_EXTRA
    "${_firn_debian}/conffiles;${_firn_debian}/postinst;${_firn_debian}/prerm;${_firn_debian}/postrm")
# Its name has the number of the library's SONAME.
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libfirn${FIRN_SOVERSION})
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION "The library that programs in C are linked to, which write their own data into
 Iceberg tables.")
# For Arrow's libraries, which are there.
set(CPACK_DEBIAN_RUNTIME_PACKAGE_DEPENDS "firn (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libfirn-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "The library for applications that write their own data into Iceberg tables:
 headers, libraries and the CMake package.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "firn (= ${PROJECT_VERSION}), libfirn${FIRN_SOVERSION} (= ${PROJECT_VERSION}), libfmt-dev, libspdlog-dev, prometheus-cpp-dev, librocksdb-dev, libpq-dev, libsqlite3-dev, libcurl4-openssl-dev, libssl-dev, libroaring-dev, libyaml-cpp-dev, libcpp-httplib-dev, libbrotli-dev, pkg-config")
include(CPack)
