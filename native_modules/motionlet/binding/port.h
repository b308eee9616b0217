// What the binding needs of MicroPython: its headers in a firmware, natmod/natmod.h in a native
// module, and types of Python in a form that both can build.
#ifndef MOTIONLET_BINDING_PORT_H
#define MOTIONLET_BINDING_PORT_H

#include <string.h>

#if MICROPY_ENABLE_DYNRUNTIME
#include "../natmod/natmod.h"
#else
#include "py/binary.h"
#include "py/cstack.h"
#include "py/gc.h"
#include "py/mphal.h"
#include "py/objarray.h"
#include "py/objstr.h"
#include "py/objtuple.h"
#include "py/runtime.h"
#endif

#include "mlet_run.h"

#define MLET_RAISES __attribute__((noreturn))

#if !MICROPY_ENABLE_DYNRUNTIME
#define MLET_TICKS_MASK UINT32_MAX
#define MLET_METHOD(name, object) {MP_ROM_QSTR(name), MP_ROM_PTR(&object)},
#define MLET_FIELD_NAMES static const qstr // an attrtuple points to them
#define MLET_DECLARE_TYPE(type) static const mp_obj_type_t type

// A type of Python: its name, the X-macro of its methods, its slots.
#define MLET_DEFINE_TYPE(type, name, methods, ...) \
    static const mp_rom_map_elem_t type##_table[] = {methods(MLET_METHOD)}; \
    static MP_DEFINE_CONST_DICT(type##_dict, type##_table); \
    static MP_DEFINE_CONST_OBJ_TYPE( \
        type, name, MP_TYPE_FLAG_NONE, __VA_ARGS__, locals_dict, &type##_dict);
#endif

// What the core and the functions here need of the stack, at most, to push a frame and to do
// anything else; tests/host/test_sizes.py compares.
#define MLET_STACK_TO_PUSH 3840
#define MLET_STACK_TO_CALL 1536

#if !MICROPY_ENABLE_DYNRUNTIME
// Let in what waits: Ctrl-C, what is scheduled, the port's own events; then call `feed`, unless it is
// None. Returns None, or the exception that one of them raised. Nothing is let in by what runs in a
// hard interrupt, where the scheduler and the heap are locked.
static mp_obj_t poll_events(mp_obj_t feed) {
    #if MICROPY_ENABLE_SCHEDULER && MICROPY_ENABLE_GC
    if (MP_STATE_VM(sched_state) < 0 && gc_is_locked()) {
        return mp_const_none;
    }
    #endif
    nlr_buf_t nlr;
    if (nlr_push(&nlr) != 0) {
        return MP_OBJ_FROM_PTR(nlr.ret_val);
    }
    mp_event_handle_nowait();
    if (feed != mp_const_none) {
        mp_call_function_0(feed);
    }
    nlr_pop();
    return mp_const_none;
}
#endif

// A thread may have little stack, and deep recursion leaves little: RuntimeError then, rather than
// an overflow. A native module cannot tell.
static void check_stack(size_t bytes) {
    #if MICROPY_STACK_CHECK && !MICROPY_ENABLE_DYNRUNTIME
    if (mp_cstack_usage() + bytes > MP_STATE_THREAD(stack_limit)) {
        mp_raise_recursion_depth();
    }
    #endif
}

#endif
