# openapi.json as a string literal, so that the program is one file.
set(openapi_json ${CMAKE_SOURCE_DIR}/src/api/openapi.json)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${openapi_json})
file(READ ${openapi_json} openapi_text)
# A literal has at most 65,536 characters in some compilers: pieces of 8,000 are joined.
set(openapi_pieces "")
string(LENGTH "${openapi_text}" openapi_length)
set(openapi_at 0)
while(openapi_at LESS openapi_length)
  string(SUBSTRING "${openapi_text}" ${openapi_at} 8000 openapi_piece)
  string(APPEND openapi_pieces "    R\"openapi(${openapi_piece})openapi\"\n")
  math(EXPR openapi_at "${openapi_at} + 8000")
endwhile()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/api/openapi_text.inc
     CONTENT "@openapi_pieces@" @ONLY)
target_include_directories(cronally_api PRIVATE ${CMAKE_BINARY_DIR}/generated)
