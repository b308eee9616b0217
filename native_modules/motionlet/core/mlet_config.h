// What a build has: groups of features, chosen when it is compiled. Each is 1 or 0, and is set with
// -DMLET_WITH_...=0. Unless told otherwise a build has all of them ("full"); with
// -DMLET_CONFIG_CORE it begins with what networks of the six families need, and no more ("core").
// A model that needs what a build lacks is refused when it is opened, with MLET_E_BUILD.
//
// Operators are chosen one by one, as MLET_WITH_CONV2D and so on: see mlet_operators.h. To name
// those wanted instead of those not wanted: -DMLET_WITH_OPERATORS=0 -DMLET_WITH_CONV2D=1 ...
//
// Assembly reads this file too.
#ifndef MLET_CONFIG_H
#define MLET_CONFIG_H

#include "mlet_format.h"
#include "mlet_operators.h"

// The layout of weights this build's kernels read, besides the portable one.
#ifndef MLET_TARGET
#define MLET_TARGET MLET_TARGET_PORTABLE
#endif

#ifdef MLET_CONFIG_CORE
#define MLET_WITH_EXTRAS 0
#else
#define MLET_WITH_EXTRAS 1
#endif

// Running by rows: chains of ops, which save memory between them, and polls in the middle of an op.
#ifndef MLET_WITH_CHAINS
#define MLET_WITH_CHAINS MLET_WITH_EXTRAS
#endif

// Weights of 4 bits.
#ifndef MLET_WITH_INT4
#define MLET_WITH_INT4 MLET_WITH_EXTRAS
#endif

// Inputs with samples of 16 bits, frames of int16 and float32, and backgrounds.
#ifndef MLET_WITH_INT16
#define MLET_WITH_INT16 MLET_WITH_EXTRAS
#endif

// Looking at what every op gives, and how long it takes.
#ifndef MLET_WITH_TRACE
#define MLET_WITH_TRACE MLET_WITH_EXTRAS
#endif

// Several inputs, and inputs and ops that run on every n-th frame.
#ifndef MLET_WITH_INPUTS
#define MLET_WITH_INPUTS MLET_WITH_EXTRAS
#endif

// What printing a model or a stream shows; all that a model tells of itself but labels, inputs,
// outputs and the rate of frames.
#ifndef MLET_WITH_INSPECT
#define MLET_WITH_INSPECT MLET_WITH_EXTRAS
#endif

// Modules that extend this one: binding/extension.h.
#ifndef MLET_WITH_EXTENSIONS
#define MLET_WITH_EXTENSIONS MLET_WITH_EXTRAS
#endif

// Kernels that Python can call one by one.
#ifndef MLET_WITH_KERNELS
#define MLET_WITH_KERNELS MLET_WITH_EXTRAS
#endif

// In a build for a target: the portable kernels too, for models that were packed for none. Without
// them, it has those that the target has no kernel of its own for.
#ifndef MLET_WITH_PORTABLE
#define MLET_WITH_PORTABLE MLET_WITH_EXTRAS
#endif

// Kernels called one by one are the portable ones, each by its name.
#if MLET_WITH_KERNELS && !MLET_WITH_PORTABLE && MLET_TARGET != MLET_TARGET_PORTABLE
#error "MLET_WITH_KERNELS needs MLET_WITH_PORTABLE"
#endif

// Functions look for pointers that are NULL only where others than the runner may call them.
#define MLET_MISSING(pointer) ((MLET_WITH_KERNELS || MLET_WITH_EXTENSIONS) && (pointer) == NULL)

// The groups of a build, a bit to each.
#define MLET_GROUPS \
    (MLET_WITH_CHAINS | MLET_WITH_INT4 << 1 | MLET_WITH_INT16 << 2 | MLET_WITH_TRACE << 3 | \
        MLET_WITH_KERNELS << 4 | MLET_WITH_PORTABLE << 5 | MLET_WITH_INPUTS << 6 | \
        MLET_WITH_INSPECT << 7 | MLET_WITH_EXTENSIONS << 8)

#endif
