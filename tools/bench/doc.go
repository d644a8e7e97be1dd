// Package bench measures a firmware from outside: it is 'ingot bench'.
//
// [Run] builds the default image and the benchmark image, boots them in QEMU
// and measures in three settings:
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
//
// The services at the other end, and the protocol, are package
// ingot.dev/firmware/bench.
package bench
