# How a stage (a library), a program and a test are declared.

add_library(oblogger_flags INTERFACE)
target_compile_definitions(oblogger_flags INTERFACE _GNU_SOURCE OBLOGGER_VERSION="${PROJECT_VERSION}")
target_compile_options(oblogger_flags INTERFACE
        -Wall -Wextra -Wshadow -Wpointer-arith -Wvla -Wformat=2 -fno-common
        $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wcast-qual>
        $<$<BOOL:${OBLOGGER_WERROR}>:-Werror>
        $<$<CONFIG:Release>:-O2 -fstack-protector-strong>)
target_include_directories(oblogger_flags INTERFACE ${CMAKE_SOURCE_DIR})
if(OBLOGGER_SANITIZE)
        target_compile_options(oblogger_flags INTERFACE
                -fsanitize=${OBLOGGER_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
        target_compile_definitions(oblogger_flags INTERFACE OBLOGGER_SANITIZED=1)
        target_link_options(oblogger_flags INTERFACE -fsanitize=${OBLOGGER_SANITIZE})
endif()
if(OBLOGGER_FUZZ)
        target_compile_options(oblogger_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# oblogger_stage(NAME DEPENDS stages... LIBRARIES targets...): a folder of .c files as a library.
function(oblogger_stage name)
        cmake_parse_arguments(ARG "" "" "DEPENDS;LIBRARIES" ${ARGN})
        file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${name}/*.c ${CMAKE_SOURCE_DIR}/${name}/*.cc)
        add_library(ob_${name} STATIC ${sources})
        list(TRANSFORM ARG_DEPENDS PREPEND ob_)
        target_link_libraries(ob_${name} PUBLIC oblogger_flags ${ARG_DEPENDS} PRIVATE ${ARG_LIBRARIES})
endfunction()

# oblogger_program(NAME FOLDER folder DEPENDS stages...): a program from a folder of .c files.
function(oblogger_program name)
        cmake_parse_arguments(ARG "" "FOLDER" "DEPENDS;LIBRARIES" ${ARGN})
        file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${ARG_FOLDER}/*.c)
        add_executable(${name} ${sources})
        list(TRANSFORM ARG_DEPENDS PREPEND ob_)
        target_link_libraries(${name} PRIVATE oblogger_flags ${ARG_DEPENDS} ${ARG_LIBRARIES})
        set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
endfunction()
