// Package profile makes something of profiles that a firmware took of itself: which
// layer of it the time went into, and a flame graph to look at.
//
// A profile is what runtime/pprof writes: stacks, and how often each was there when
// the kernel's timer (ITIMER_PROF) interrupted the program, which it does each time
// that the processor has been busy for a while. Under QEMU's -icount that is a number of
// instructions, so a profile is of instructions, whatever the host was doing.
//
// Samples of the profiler itself are not in it: [Parse] leaves them out.
package profile
