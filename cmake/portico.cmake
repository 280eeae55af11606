# What every target of Portico shares: flags, libraries, and the one function that builds a service.

option(PORTICO_HARDEN "Hardening flags of a release" OFF)
set(PORTICO_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
add_compile_options(-Wall -Wextra -Werror -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wformat=2
	-Wno-unused-parameter -Wno-missing-field-initializers -fno-common)
if(CMAKE_C_COMPILER_ID STREQUAL "Clang") # the fuzzers; unlike gcc it also warns where the format is an argument's own
	add_compile_options(-Wno-format-nonliteral)
endif()
add_compile_definitions(_GNU_SOURCE PORTICO_VERSION="${PROJECT_VERSION}")

if(PORTICO_HARDEN)
	add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection
		-fcf-protection)
	add_link_options(-Wl,-z,relro,-z,now -Wl,-z,noexecstack -pie)
endif()
if(PORTICO_SANITIZE)
	add_compile_options(-fsanitize=${PORTICO_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
	add_link_options(-fsanitize=${PORTICO_SANITIZE})
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
function(portico_library name)
	pkg_check_modules(${name} REQUIRED IMPORTED_TARGET GLOBAL ${ARGN})
endfunction()

# SQL as C: NAME.sql.h and NAME.sql.c from every file of sql/ and migrations/ (cmake/embed_sql.cmake says how).
function(portico_embed_sql target name folder)
	file(GLOB statements CONFIGURE_DEPENDS ${folder}/sql/*.sql)
	file(GLOB migrations CONFIGURE_DEPENDS ${folder}/migrations/*.sql)
	set(out ${CMAKE_CURRENT_BINARY_DIR}/${name}.sql)
	add_custom_command(OUTPUT ${out}.c ${out}.h
		COMMAND ${CMAKE_COMMAND} -DNAME=${name} -DFOLDER=${folder} -DOUT=${out} -P ${CMAKE_SOURCE_DIR}/cmake/embed_sql.cmake
		DEPENDS ${statements} ${migrations} ${CMAKE_SOURCE_DIR}/cmake/embed_sql.cmake
		COMMENT "Embedding the SQL of ${name}" VERBATIM)
	target_sources(${target} PRIVATE ${out}.c ${out}.h)
	target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
endfunction()

# portico_service(NAME [LIBRARIES lib…]): all the *.c of this folder and its SQL, linked with libcommon.
function(portico_service name)
	cmake_parse_arguments(arg "" "" "LIBRARIES" ${ARGN})
	file(GLOB sources CONFIGURE_DEPENDS *.c)
	add_executable(${name} ${sources})
	portico_embed_sql(${name} ${name} ${CMAKE_CURRENT_SOURCE_DIR})
	target_link_libraries(${name} PRIVATE common ${arg_LIBRARIES})
	set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# portico_program(NAME SOURCES file… [LIBRARIES lib…]): a program that is not a service (gateway, emulator).
function(portico_program name)
	cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
	add_executable(${name} ${arg_SOURCES})
	target_link_libraries(${name} PRIVATE common ${arg_LIBRARIES})
	set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()
