// Package nictest holds what implementations and users of
// [ingot.dev/board/nic.Device] are tested with:
//
//   - [Run], the compliance test that every implementation must pass;
//   - [Pipe], two Devices joined by a wire in memory, for testing a network
//     stack without hardware, with seeded faults: loss, duplication,
//     reordering, corruption, delay, and rings small enough to fill up;
//   - [InsertChecksums] and [ChecksumsOK], what an offloading MAC does with a
//     frame, for models of such hardware.
//
// The wire helps to find mistakes of the code that uses it: buffers are
// overwritten as soon as they are given back, and calls from two goroutines
// where the interface allows one are reported by the race detector.
package nictest
