# Motionlet as a MicroPython user C module, for ports that build with CMake (rp2, esp32).
#
#   MOTIONLET_ARCH    "portable", or the name of a directory in arch/ whose kernels are built in too;
#                     a model packed for that target runs on them, others on the portable ones.
#   MOTIONLET_OPT     how to optimise the core.
#   MOTIONLET_CONFIG  what of core/mlet_config.h to define: MLET_CONFIG_CORE;MLET_WITH_INT4=1 ...

# A board's mpconfigboard.cmake may set them, or cmake's command line.
if(NOT DEFINED MOTIONLET_ARCH)
    set(MOTIONLET_ARCH portable)
endif()
if(NOT DEFINED MOTIONLET_OPT)
    set(MOTIONLET_OPT -O2)
endif()

set(MOTIONLET_DIR ${CMAKE_CURRENT_LIST_DIR})
file(GLOB MOTIONLET_CORE CONFIGURE_DEPENDS ${MOTIONLET_DIR}/core/*.c)

set(MOTIONLET_INCLUDE ${MOTIONLET_DIR}/core)
set(MOTIONLET_DEFINITIONS "")
if(NOT MOTIONLET_ARCH STREQUAL "portable")
    set(MOTIONLET_TUNED_DIR ${MOTIONLET_DIR}/arch/${MOTIONLET_ARCH})
    if(NOT IS_DIRECTORY ${MOTIONLET_TUNED_DIR})
        message(FATAL_ERROR "MOTIONLET_ARCH=${MOTIONLET_ARCH}: no such directory in arch/")
    endif()
    file(GLOB MOTIONLET_TUNED CONFIGURE_DEPENDS
        ${MOTIONLET_TUNED_DIR}/*.c ${MOTIONLET_TUNED_DIR}/*.S)
    list(APPEND MOTIONLET_CORE ${MOTIONLET_TUNED})
    list(APPEND MOTIONLET_INCLUDE ${MOTIONLET_TUNED_DIR})
    string(TOUPPER ${MOTIONLET_ARCH} MOTIONLET_TARGET)
    set(MOTIONLET_DEFINITIONS MLET_TARGET=MLET_TARGET_${MOTIONLET_TARGET})
endif()

add_library(usermod_motionlet INTERFACE)
# The headers too, or else a name of Python that is new in one is not found.
file(GLOB MOTIONLET_BINDING CONFIGURE_DEPENDS ${MOTIONLET_DIR}/binding/*.h)
target_sources(usermod_motionlet INTERFACE
    ${MOTIONLET_DIR}/modmotionlet.c ${MOTIONLET_BINDING} ${MOTIONLET_CORE})
target_include_directories(usermod_motionlet INTERFACE ${MOTIONLET_INCLUDE})
target_compile_definitions(usermod_motionlet INTERFACE ${MOTIONLET_DEFINITIONS} ${MOTIONLET_CONFIG})
target_link_libraries(usermod INTERFACE usermod_motionlet)

# The esp32 port is a component in a directory of its own, and its copy of these sources that is
# linked belongs to the executable in the directory above. Properties of sources count only in the
# directories that they are set in; and that copy gets none of the port's own options.
set(MOTIONLET_WHERE "")
if(CMAKE_VERSION VERSION_GREATER_EQUAL 3.18)
    set(MOTIONLET_WHERE DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_SOURCE_DIR})
elseif(NOT CMAKE_CURRENT_SOURCE_DIR STREQUAL CMAKE_SOURCE_DIR)
    message(FATAL_ERROR "Motionlet in a component wants CMake 3.18, not ${CMAKE_VERSION}")
endif()
set(MOTIONLET_FLAGS "-ffunction-sections;-fdata-sections;-Wall;-Wextra;-Werror")
set_source_files_properties(${MOTIONLET_CORE} ${MOTIONLET_WHERE} PROPERTIES
    COMPILE_OPTIONS "${MOTIONLET_OPT};${MOTIONLET_FLAGS}"
)
# What runs once a model or once an op had better be small.
set(MOTIONLET_SELDOM ${MOTIONLET_CORE})
list(FILTER MOTIONLET_SELDOM INCLUDE REGEX
    "_(chain|check_chain|check_file|check_plan|conv2d_choice|crc32|frame|keep_shifted|kernels|lacks|layer|model|model_open|op_name)\\.c$|_(run_op|stream|window_rows)\\.c$")
set_source_files_properties(${MOTIONLET_SELDOM} ${MOTIONLET_WHERE} PROPERTIES
    COMPILE_OPTIONS "-Os;${MOTIONLET_FLAGS}"
)
# MicroPython's own headers and calling conventions leave parameters unused; ESP-IDF's spinlock.h
# compares what has a sign with what has none.
set_source_files_properties(${MOTIONLET_DIR}/modmotionlet.c ${MOTIONLET_WHERE} PROPERTIES
    COMPILE_OPTIONS "-Os;${MOTIONLET_FLAGS};-Wno-unused-parameter;-Wno-sign-compare"
)
