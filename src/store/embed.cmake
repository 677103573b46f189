# Compiles the SQL files in: for each store one .cc with the statements and the migrations as raw strings.
foreach(store sqlite postgres)
  file(GLOB store_migrations CONFIGURE_DEPENDS ${dir}/${store}/migrations/*.sql)
  list(SORT store_migrations)
  file(GLOB store_statements CONFIGURE_DEPENDS ${dir}/${store}/statements*.sql)
  list(SORT store_statements)
  set(store_sql ${CMAKE_BINARY_DIR}/store_${store}_sql.cc)
  add_custom_command(
    OUTPUT ${store_sql}
    COMMAND ${CMAKE_COMMAND} -DSTORE=${store} -DOUT=${store_sql}
            "-DSTATEMENTS=${store_statements}" "-DMIGRATIONS=${store_migrations}"
            -P ${CMAKE_SOURCE_DIR}/cmake/embed_sql.cmake
    DEPENDS ${store_statements} ${store_migrations}
            ${CMAKE_SOURCE_DIR}/cmake/embed_sql.cmake
    VERBATIM)
  target_sources(cronally_store PRIVATE ${store_sql})
endforeach()

# The tests stand on the suites that every store passes (tests/conformance).
file(GLOB store_tests CONFIGURE_DEPENDS ${dir}/*_test.cc ${dir}/sqlite/*_test.cc
     ${dir}/postgres/*_test.cc)
set_source_files_properties(${store_tests} PROPERTIES INCLUDE_DIRECTORIES ${CMAKE_SOURCE_DIR})
