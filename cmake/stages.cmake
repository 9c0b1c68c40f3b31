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

# oblogger_stage(NAME DEPENDS stages... LIBRARIES targets... EXCEPT pattern): a folder of .c files as
# a library.
function(oblogger_stage name)
        cmake_parse_arguments(ARG "" "EXCEPT" "DEPENDS;LIBRARIES" ${ARGN})
        file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${name}/*.c ${CMAKE_SOURCE_DIR}/${name}/*.cc)
        if(ARG_EXCEPT)
                list(FILTER sources EXCLUDE REGEX ${ARG_EXCEPT})
        endif()
        add_library(ob_${name} STATIC ${sources})
        list(TRANSFORM ARG_DEPENDS PREPEND ob_)
        target_link_libraries(ob_${name} PUBLIC oblogger_flags ${ARG_DEPENDS} PRIVATE ${ARG_LIBRARIES})
endfunction()

# oblogger_program(NAME FOLDER folder DEPENDS stages...): a program from a folder of .c files. All but
# its main.c is a library, NAME_parts, so that tests can use it.
function(oblogger_program name)
        cmake_parse_arguments(ARG "" "FOLDER" "DEPENDS;LIBRARIES" ${ARGN})
        file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${ARG_FOLDER}/*.c)
        list(FILTER sources EXCLUDE REGEX "/main\\.c$")
        add_library(${name}_parts STATIC ${sources})
        list(TRANSFORM ARG_DEPENDS PREPEND ob_)
        target_link_libraries(${name}_parts PUBLIC oblogger_flags ${ARG_DEPENDS} ${ARG_LIBRARIES})
        add_executable(${name} ${CMAKE_SOURCE_DIR}/${ARG_FOLDER}/main.c)
        target_link_libraries(${name} PRIVATE ${name}_parts)
        set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
endfunction()

# oblogger_embed(FILE NAME): the bytes of a file as C, NAME[] and NAME_size, in ${NAME}_source.
function(oblogger_embed file name)
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${file})
        file(READ ${CMAKE_SOURCE_DIR}/${file} bytes HEX)
        string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
        set(source ${CMAKE_BINARY_DIR}/${name}.c)
        file(CONFIGURE OUTPUT ${source} CONTENT "#include <stddef.h>
#include <stdint.h>
const uint8_t ${name}[] = {${bytes}};
const size_t ${name}_size = sizeof(${name});
")
        set(${name}_source ${source} PARENT_SCOPE)
endfunction()

# What tells the service manager of a program: apart, so that no other program loads its library.
function(oblogger_service)
        add_library(ob_service STATIC ${CMAKE_SOURCE_DIR}/base/service.c)
        target_link_libraries(ob_service PUBLIC oblogger_flags ob_base PRIVATE PkgConfig::SYSTEMD)
endfunction()

# The store in MongoDB, its libraries seen by nobody else: oblogger has it in itself; obrebuild loads
# it as a module when it is asked for, and gives it the functions of the stages below.
function(oblogger_mongo)
        file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/store/mongo*.c ${CMAKE_SOURCE_DIR}/store/legacy*.c)
        oblogger_embed(schema/mongodb/collections.json mongo_schema_json)
        list(APPEND sources ${mongo_schema_json_source})
        add_library(ob_mongo STATIC ${sources})
        set_target_properties(ob_mongo PROPERTIES POSITION_INDEPENDENT_CODE ON)
        target_link_libraries(ob_mongo PUBLIC oblogger_flags ob_store PRIVATE mongo::mongoc_shared PkgConfig::XXHASH)
        add_library(oblogger_mongo MODULE ${sources})
        target_link_libraries(oblogger_mongo PRIVATE oblogger_flags mongo::mongoc_shared PkgConfig::XXHASH)
        set_target_properties(oblogger_mongo PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
        # what of ship/ writes documents of its own
        file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/ship/legacy*.c)
        add_library(ob_legacy STATIC ${sources})
        target_link_libraries(ob_legacy PUBLIC ob_ship ob_mongo ob_recon PRIVATE mongo::mongoc_shared)
endfunction()
