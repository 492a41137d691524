# intact_room(NAME [THREADS] [PLUGIN] [USES room...] [LIBS target...])
#
# Makes the library intact_NAME out of the current folder: sources *.cc, public headers below
# include/intact/NAME/, tests *_test.cc. A room sees the headers of the rooms it names in USES and
# of those that these use, so an include against the arrows of docs/architecture.md does not compile. It names what it
# includes itself.
# Libraries in LIBS are private to the room: nothing above it sees their headers.
# THREADS: its code runs on several threads, so that its tests run under the thread sanitizer as well.
# PLUGIN: linked into the plugin for nbdkit too, so its code has to be position-independent.
add_library(intact_flags INTERFACE)
target_compile_options(intact_flags INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion
                       -Wno-missing-field-initializers -Wnon-virtual-dtor -Woverloaded-virtual)
target_compile_definitions(intact_flags INTERFACE _FILE_OFFSET_BITS=64)
if(INTACT_WERROR)
  target_compile_options(intact_flags INTERFACE -Werror)
endif()
if(INTACT_SANITIZE)
  target_compile_options(intact_flags INTERFACE -fsanitize=${INTACT_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all)
  target_link_options(intact_flags INTERFACE -fsanitize=${INTACT_SANITIZE})
else()
  # What is read is hostile until it has been checked. If one of our checks is missing, these end the
  # program: the standard library's of indices and spans, libc's of buffers, the compiler's of return addresses;
  # and no table of functions can be written to once the program runs.
  target_compile_options(intact_flags INTERFACE -fstack-protector-strong
                         "$<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>")
  target_compile_definitions(intact_flags INTERFACE _GLIBCXX_ASSERTIONS)
  target_link_options(intact_flags INTERFACE -Wl,-z,relro,-z,now)
endif()
if(INTACT_FUZZ)
  # Coverage feedback everywhere; the fuzzing main only in the fuzz targets.
  target_compile_options(intact_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# The sanitizers' builds are there to be run, not to be fast or to show what a file forgot to include:
# they take the large headers precompiled (a fifth to a third of a file's time), and tests unoptimized.
# Release builds do neither.
function(intact_quicker_build target kind)
  if(NOT INTACT_SANITIZE)
    return()
  endif()
  if(kind STREQUAL "tests")
    set(optimization -O0)
    target_compile_options(${target} PRIVATE ${optimization})
  endif()
  get_target_property(position_independent ${target} POSITION_INDEPENDENT_CODE)
  if(position_independent)
    string(APPEND kind "_pic")
  endif()
  if(NOT TARGET intact_headers_${kind})
    set(headers <algorithm> <array> <atomic> <chrono> <cstring> <deque> <functional> <map>
                <memory> <mutex> <optional> <ranges> <set> <span> <sstream> <string> <thread>
                <unordered_map> <variant> <vector> <fmt/format.h>)
    if(kind MATCHES "^tests")
      list(APPEND headers <gmock/gmock.h> <gtest/gtest.h>)
    endif()
    file(WRITE ${CMAKE_BINARY_DIR}/empty.cc "")
    add_library(intact_headers_${kind} OBJECT ${CMAKE_BINARY_DIR}/empty.cc)
    target_link_libraries(intact_headers_${kind} PRIVATE intact_flags fmt::fmt Threads::Threads GTest::gmock)
    # Otherwise the file holds the time of its making, and ccache finds nothing.
    target_compile_options(intact_headers_${kind} PRIVATE "SHELL:-Xclang -fno-pch-timestamp" ${optimization})
    target_precompile_headers(intact_headers_${kind} PRIVATE ${headers})
    if(position_independent)
      set_target_properties(intact_headers_${kind} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    endif()
  endif()
  target_precompile_headers(${target} REUSE_FROM intact_headers_${kind})
endfunction()

# Builds the tests of the rooms with THREADS.
add_custom_target(threaded_tests)

function(intact_room name)
  cmake_parse_arguments(ROOM "THREADS;PLUGIN" "" "USES;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(TRANSFORM ROOM_USES PREPEND intact_)
  add_library(intact_${name} STATIC ${sources})
  target_include_directories(intact_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include
                             PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(intact_${name} PUBLIC intact_flags ${ROOM_USES} fmt::fmt Threads::Threads
                        PRIVATE ${ROOM_LIBS})
  if(ROOM_PLUGIN)
    set_target_properties(intact_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  endif()
  intact_quicker_build(intact_${name} rooms)
  if(INTACT_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE intact_${name} ${ROOM_LIBS} GTest::gmock GTest::gtest_main
                          rapidcheck)
    target_include_directories(${name}_test PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    set_target_properties(${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    intact_quicker_build(${name}_test tests)
    set(label unit)
    if(ROOM_THREADS)
      set(label threads)
      add_dependencies(threaded_tests ${name}_test)
    endif()
    gtest_discover_tests(${name}_test DISCOVERY_MODE PRE_TEST NO_PRETTY_VALUES PROPERTIES TIMEOUT 300
                         LABELS ${label})
  endif()
endfunction()
