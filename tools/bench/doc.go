// Package bench measures a firmware from outside: it is 'ingot bench'.
//
// [Run] builds the default image and the benchmark image, boots them in QEMU
// and measures in four settings:
//
//   - Boots of the default image: how long until something is printed, there is
//     an address, and a TLS handshake is done.
//   - The benchmark image at the host's speed: memory, rates, latencies. These
//     numbers are the host's as much as the firmware's: on a shared machine the
//     same image varies by a factor of two within an hour. Compare them within
//     one run only.
//   - The benchmark image with QEMU counting instructions (-icount): one
//     instruction is one nanosecond of the guest's clock, whatever the host is
//     doing. The kernel tells how much of its time it was idle; the rest are
//     instructions. These numbers can be compared between runs and machines,
//     and [Compare] does, against a committed or earlier result.
//   - The same, with the firmware taking a profile of itself meanwhile: so the
//     instructions of a segment, a handshake and an echo are divided among its layers.
//     [Profile] is that alone.
//   - The benchmark image, with a wire to this program in place of QEMU's user-mode
//     network (package ingot.dev/qemu/peer): what many connections do to each other, and
//     to memory, and what a lossy link leaves of a stream. Of the times, ratios within the
//     run count, and those of the firmware's own clock.
//
// The services at the other end, and the protocol, are package
// ingot.dev/firmware/bench.
package bench
