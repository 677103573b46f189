# Language, warnings, hardening and the sanitizers of the presets.

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
  message(FATAL_ERROR
    "g++ ${CMAKE_CXX_COMPILER_VERSION} miscompiles coroutines (double frees in ordinary co_await "
    "expressions). Use clang++-19: apt-get install clang-19, then cmake --preset release.")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

option(CRONALLY_TEST_HOOKS "Switches that only tests need (clock offset, synchronous=NORMAL, no fences)" OFF)
set(CRONALLY_SANITIZE "" CACHE STRING "Comma list for -fsanitize=, or empty")
option(CRONALLY_FUZZ "Build the libFuzzer targets" OFF)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # What ccache asks for before it works with precompiled headers.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_PCH_EXTSUM=1
      CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE_PROGRAM})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror=return-type
                    -Werror=switch -Wno-missing-field-initializers -fstack-protector-strong)
add_compile_definitions(_GLIBCXX_ASSERTIONS BOOST_ASIO_NO_DEPRECATED
                        BOOST_ASIO_SEPARATE_COMPILATION)
if(CRONALLY_SANITIZE)
  add_compile_options(-fsanitize=${CRONALLY_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CRONALLY_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-D_FORTIFY_SOURCE=2 -fcf-protection)
  add_link_options(-pie -Wl,-z,relro,-z,now)
endif()
