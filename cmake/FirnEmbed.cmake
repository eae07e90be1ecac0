# firn_embed(OUTPUT FILE...): a C++ source with each FILE as the bytes `FIRN_EMBEDDED_<name>`, where <name> is the file's
# name with underscores for its dots. Made again when a file changes.
function(firn_embed OUTPUT)
  add_custom_command(
    OUTPUT ${OUTPUT}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${OUTPUT} "-DFILES=${ARGN}" -P ${PROJECT_SOURCE_DIR}/cmake/FirnEmbedFiles.cmake
    DEPENDS ${ARGN} ${PROJECT_SOURCE_DIR}/cmake/FirnEmbedFiles.cmake
    COMMENT "Embedding files into ${OUTPUT}"
    VERBATIM)
endfunction()
