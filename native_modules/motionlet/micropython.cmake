# Motionlet as a MicroPython user C module, for ports that build with CMake (rp2, esp32).
#
#   MOTIONLET_ARCH  "portable", or the name of a directory in arch/: each of its files takes the
#                   place of the file in core/ that has the same name.
#   MOTIONLET_OPT   how to optimise the core.

set(MOTIONLET_ARCH "portable" CACHE STRING "Which kernels: portable, or a directory of arch/")
set(MOTIONLET_OPT "-O2" CACHE STRING "Optimisation of Motionlet's core")

set(MOTIONLET_DIR ${CMAKE_CURRENT_LIST_DIR})
file(GLOB MOTIONLET_CORE CONFIGURE_DEPENDS ${MOTIONLET_DIR}/core/*.c)

if(NOT MOTIONLET_ARCH STREQUAL "portable")
    if(NOT IS_DIRECTORY ${MOTIONLET_DIR}/arch/${MOTIONLET_ARCH})
        message(FATAL_ERROR "MOTIONLET_ARCH=${MOTIONLET_ARCH}: no such directory in arch/")
    endif()
    file(GLOB MOTIONLET_TUNED CONFIGURE_DEPENDS
        ${MOTIONLET_DIR}/arch/${MOTIONLET_ARCH}/*.c
        ${MOTIONLET_DIR}/arch/${MOTIONLET_ARCH}/*.S
    )
    foreach(tuned ${MOTIONLET_TUNED})
        get_filename_component(name ${tuned} NAME_WE)
        list(REMOVE_ITEM MOTIONLET_CORE ${MOTIONLET_DIR}/core/${name}.c)
    endforeach()
    list(APPEND MOTIONLET_CORE ${MOTIONLET_TUNED})
endif()

add_library(usermod_motionlet INTERFACE)
target_sources(usermod_motionlet INTERFACE ${MOTIONLET_DIR}/modmotionlet.c ${MOTIONLET_CORE})
target_include_directories(usermod_motionlet INTERFACE ${MOTIONLET_DIR}/core)
target_link_libraries(usermod INTERFACE usermod_motionlet)

set_source_files_properties(${MOTIONLET_CORE} PROPERTIES
    COMPILE_OPTIONS "${MOTIONLET_OPT};-Wall;-Wextra;-Werror"
)
# MicroPython's own headers and calling conventions leave parameters unused.
set_source_files_properties(${MOTIONLET_DIR}/modmotionlet.c PROPERTIES
    COMPILE_OPTIONS "-Wall;-Wextra;-Wno-unused-parameter;-Werror"
)
