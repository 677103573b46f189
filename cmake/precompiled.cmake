# The standard library, fmt and GoogleTest, parsed once a build instead of once a source: half of
# the time a source takes to compile is theirs. A source still includes what it uses; CI's check of
# that is the asan preset, which is built without them.
#
# cronally_precompile(TARGET [TESTS]): one for libraries (-fPIC), one for test programs (-fPIE).
option(CRONALLY_PRECOMPILE "Parse the common headers once" ON)

set(standard_headers <algorithm> <array> <atomic> <charconv> <chrono> <condition_variable> <cstdint>
    <deque> <filesystem> <fstream> <functional> <future> <map> <memory> <mutex> <optional> <set>
    <span> <string> <string_view> <thread> <unordered_map> <unordered_set> <utility> <variant>
    <vector> <fmt/format.h>)

if(CRONALLY_PRECOMPILE)
  file(WRITE ${CMAKE_BINARY_DIR}/precompiled.cc "")
  file(WRITE ${CMAKE_BINARY_DIR}/precompiled_tests.cc "int main() {}\n")
  add_library(precompiled STATIC ${CMAKE_BINARY_DIR}/precompiled.cc)
  target_link_libraries(precompiled PRIVATE fmt::fmt)
  target_precompile_headers(precompiled PRIVATE ${standard_headers})
  add_executable(precompiled_tests ${CMAKE_BINARY_DIR}/precompiled_tests.cc)
  target_link_libraries(precompiled_tests PRIVATE fmt::fmt GTest::gtest GTest::gmock)
  target_precompile_headers(precompiled_tests PRIVATE ${standard_headers} <gmock/gmock.h>
                            <gtest/gtest.h>)
endif()

function(cronally_precompile target)
  if(NOT CRONALLY_PRECOMPILE)
    return()
  endif()
  if("TESTS" IN_LIST ARGN)
    target_precompile_headers(${target} REUSE_FROM precompiled_tests)
  else()
    target_precompile_headers(${target} REUSE_FROM precompiled)
  endif()
endfunction()
