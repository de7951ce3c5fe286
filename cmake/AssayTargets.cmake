# Everything that `ctest -L unit` runs.
add_custom_target(unit_tests)
# The code that is made while building, for tools that read ours.
add_custom_target(generated_sources)

# assay_layer(NAME [DEPS layer...] [LIBS library...]): one folder of src/ as one library, its *_test.cc as one test program.
function(assay_layer name)
  cmake_parse_arguments(A "" "" "DEPS;LIBS;TEST_LIBS" ${ARGN})
  set(dir ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${dir}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_(test|module)\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  string(REPLACE "/" "_" target ${name})
  list(TRANSFORM A_DEPS PREPEND assay_)
  if(NOT sources)
    add_library(assay_${target} INTERFACE)
    target_include_directories(assay_${target} INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/src>)
    target_link_libraries(assay_${target} INTERFACE ${A_DEPS} ${A_LIBS})
  else()
    add_library(assay_${target} STATIC ${sources})
    target_include_directories(assay_${target} PUBLIC $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/src>
      $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>)
    target_link_libraries(assay_${target} PRIVATE $<BUILD_INTERFACE:assay_flags> PUBLIC ${A_DEPS} ${A_LIBS})
  endif()
  if(tests AND ASSAY_BUILD_TESTS)
    find_package(GTest REQUIRED)
    add_executable(${target}_test ${tests})
    set_target_properties(${target}_test PROPERTIES UNITY_BUILD OFF)  # many names, each file its own
    target_link_libraries(${target}_test PRIVATE assay_flags assay_${target} ${A_TEST_LIBS} GTest::gmock GTest::gtest_main)
    target_compile_definitions(${target}_test PRIVATE ASSAY_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    add_dependencies(unit_tests ${target}_test)
    add_test(NAME unit.${target} COMMAND ${target}_test)
    set_tests_properties(unit.${target} PROPERTIES TIMEOUT 600 LABELS unit)
  endif()
endfunction()

# assay_flatbuffers(LAYER PATH/schema.fbs): the schema's C++ code, as <PATH/schema_generated.h>, for that layer and its tests.
function(assay_flatbuffers layer schema)
  get_filename_component(folder ${schema} DIRECTORY)
  get_filename_component(stem ${schema} NAME_WE)
  set(root ${CMAKE_BINARY_DIR}/generated)
  set(header ${root}/${folder}/${stem}_generated.h)
  add_custom_command(OUTPUT ${header}
    COMMAND flatbuffers::flatc --cpp --scoped-enums --reflect-names -o ${root}/${folder} ${CMAKE_CURRENT_SOURCE_DIR}/${schema}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${schema} VERBATIM)
  target_sources(assay_${layer} PRIVATE ${header})
  add_custom_target(assay_${layer}_schema DEPENDS ${header})
  add_dependencies(generated_sources assay_${layer}_schema)
  # Generated code is not held to our warnings.
  target_include_directories(assay_${layer} SYSTEM PUBLIC $<BUILD_INTERFACE:${root}>)
  if(TARGET ${layer}_test)
    add_dependencies(${layer}_test assay_${layer})
  endif()
endfunction()

# assay_module(NAME SOURCE LIBS...): code with a heavy dependency, loaded only when it is needed, beside the program.
function(assay_module name source)
  cmake_parse_arguments(A "" "" "LIBS" ${ARGN})
  add_library(${name} MODULE ${source})
  set_target_properties(${name} PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR} CXX_VISIBILITY_PRESET hidden)
  target_link_libraries(${name} PRIVATE assay_flags ${A_LIBS})
  install(TARGETS ${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/assay)
endfunction()

# assay_protobuf_messages(TARGET PATH/messages.proto): the messages' C++ code, as <PATH/messages.pb.h>, for that target.
function(assay_protobuf_messages target proto)
  get_filename_component(folder ${proto} DIRECTORY)
  get_filename_component(stem ${proto} NAME_WE)
  set(root ${CMAKE_BINARY_DIR}/generated)
  set(code ${root}/${folder}/${stem}.pb.cc ${root}/${folder}/${stem}.pb.h)
  add_custom_command(OUTPUT ${code}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${root}/${folder}
    COMMAND protobuf::protoc --cpp_out=${root} -I ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/${proto}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${proto} VERBATIM)
  target_sources(${target} PRIVATE ${code})
  add_custom_target(${target}_messages DEPENDS ${code})
  add_dependencies(generated_sources ${target}_messages)
  add_dependencies(${target} ${target}_messages)
  # Generated code is not held to our warnings.
  set_source_files_properties(${code} PROPERTIES COMPILE_OPTIONS -w)
  target_include_directories(${target} SYSTEM PRIVATE ${root} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
endfunction()
