# The standard library, fmt and GoogleTest, parsed once a build instead of once a source: half of
# the time that a source takes to compile is theirs. A source still includes what it uses: the fuzz
# preset is built without them and so finds what is missing.
#
# CMake makes the two headers; the sources name them by a path relative to the build folder, and
# what ccache takes of them is a sum over their text. So what one clone has compiled, another finds.
include(CMakeDependentOption)
cmake_dependent_option(CRONALLY_PRECOMPILE "Parse the common headers once" ON
                       "CMAKE_CXX_COMPILER_ID STREQUAL Clang" OFF)

# cronally_precompile(TARGET precompiled|precompiled_tests): TARGET's sources use that header.
# Libraries are compiled with -fPIC, programs with -fPIE, so each needs one of its own.
function(cronally_precompile target header)
  if(NOT CRONALLY_PRECOMPILE)
    return()
  endif()
  add_dependencies(${target} ${header}_made)
  target_compile_options(${target} PRIVATE
                         "SHELL:-include-pch CMakeFiles/${header}.dir/cmake_pch.hxx.pch")
endfunction()

function(cronally_make_precompiled header)
  set_target_properties(${header} PROPERTIES CXX_COMPILER_LAUNCHER "")
  target_compile_options(${header} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  set(made ${CMAKE_BINARY_DIR}/CMakeFiles/${header}.dir/cmake_pch.hxx)
  add_custom_command(OUTPUT ${made}.pch.sum VERBATIM DEPENDS ${made}.pch
    COMMAND sh -c "\"$1\" -std=c++23 -w -E -P -x c++ \"$2\" | sha256sum >\"$2.pch.sum\""
            sh ${CMAKE_CXX_COMPILER} ${made})
  add_custom_target(${header}_made DEPENDS ${made}.pch.sum)
endfunction()

if(CRONALLY_PRECOMPILE)
  set(standard_headers <algorithm> <array> <atomic> <charconv> <chrono> <condition_variable>
      <cstdint> <deque> <filesystem> <fstream> <functional> <future> <map> <memory> <mutex>
      <optional> <set> <span> <string> <string_view> <thread> <unordered_map> <unordered_set>
      <utility> <variant> <vector> <fmt/format.h>)

  file(WRITE ${CMAKE_BINARY_DIR}/precompiled.cc "")
  add_library(precompiled STATIC ${CMAKE_BINARY_DIR}/precompiled.cc)
  target_link_libraries(precompiled PRIVATE fmt::fmt)
  target_precompile_headers(precompiled PRIVATE ${standard_headers})
  cronally_make_precompiled(precompiled)

  file(WRITE ${CMAKE_BINARY_DIR}/precompiled_tests.cc "int main() {}\n")
  add_executable(precompiled_tests ${CMAKE_BINARY_DIR}/precompiled_tests.cc)
  target_link_libraries(precompiled_tests PRIVATE fmt::fmt GTest::gtest GTest::gmock)
  target_precompile_headers(precompiled_tests PRIVATE ${standard_headers} <gmock/gmock.h>
                            <gtest/gtest.h>)
  cronally_make_precompiled(precompiled_tests)
endif()
