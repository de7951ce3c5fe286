# Flags that hold for every target: floating point as written, warnings as errors, fast linking where the tools are present.
find_program(ASSAY_CCACHE ccache)
if(ASSAY_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ASSAY_CCACHE})
endif()

add_library(assay_flags INTERFACE)
target_compile_options(assay_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wnull-dereference -Wimplicit-fallthrough -Werror
  -ffp-contract=off -fno-math-errno)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports these inside its own library's inlined code, not in ours.
  target_compile_options(assay_flags INTERFACE -Wno-null-dereference -Wno-stringop-overflow -Wno-array-bounds -Wno-restrict
    -Wno-maybe-uninitialized -Wno-stringop-overread)
  if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(assay_flags INTERFACE -Wno-dangling-pointer)
  endif()
endif()
if(ASSAY_SANITIZE)
  target_compile_options(assay_flags INTERFACE -fsanitize=${ASSAY_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(assay_flags INTERFACE -fsanitize=${ASSAY_SANITIZE})
  if(ASSAY_SANITIZE MATCHES "undefined")
    target_compile_options(assay_flags INTERFACE -fno-sanitize-recover=all)
  endif()
endif()
if(ASSAY_BUILD_FUZZERS AND ASSAY_SANITIZE AND CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(assay_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

find_program(ASSAY_MOLD mold)
if(ASSAY_MOLD)
  target_link_options(assay_flags INTERFACE -fuse-ld=mold)
endif()
