# Compiles the SQL files in: one .cc with the statements and the migrations as raw strings.
file(GLOB store_migrations CONFIGURE_DEPENDS ${dir}/sqlite/migrations/*.sql)
list(SORT store_migrations)
set(store_sql ${CMAKE_BINARY_DIR}/store_sqlite_sql.cc)
add_custom_command(
  OUTPUT ${store_sql}
  COMMAND ${CMAKE_COMMAND} -DOUT=${store_sql} -DSTATEMENTS=${dir}/sqlite/statements.sql
          "-DMIGRATIONS=${store_migrations}" -P ${CMAKE_SOURCE_DIR}/cmake/embed_sql.cmake
  DEPENDS ${dir}/sqlite/statements.sql ${store_migrations} ${CMAKE_SOURCE_DIR}/cmake/embed_sql.cmake
  VERBATIM)
target_sources(cronally_store PRIVATE ${store_sql})

# The tests stand on the suites that every store passes (tests/conformance).
file(GLOB store_tests CONFIGURE_DEPENDS ${dir}/*_test.cc ${dir}/sqlite/*_test.cc)
set_source_files_properties(${store_tests} PROPERTIES INCLUDE_DIRECTORIES ${CMAKE_SOURCE_DIR})
