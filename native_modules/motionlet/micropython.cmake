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

set_source_files_properties(${MOTIONLET_CORE} PROPERTIES
    COMPILE_OPTIONS "${MOTIONLET_OPT};-Wall;-Wextra;-Werror"
)
# What runs once a model or once an op had better be small.
set(MOTIONLET_SELDOM ${MOTIONLET_CORE})
list(FILTER MOTIONLET_SELDOM INCLUDE REGEX
    "_(chain|check_chain|check_file|check_plan|conv2d_choice|crc32|frame|keep_shifted|kernels|lacks|layer|model|model_open|op_name)\\.c$|_(run_op|stream|window_rows)\\.c$")
set_source_files_properties(${MOTIONLET_SELDOM} PROPERTIES
    COMPILE_OPTIONS "-Os;-Wall;-Wextra;-Werror"
)
# MicroPython's own headers and calling conventions leave parameters unused.
set_source_files_properties(${MOTIONLET_DIR}/modmotionlet.c PROPERTIES
    COMPILE_OPTIONS "-Wall;-Wextra;-Wno-unused-parameter;-Werror"
)
