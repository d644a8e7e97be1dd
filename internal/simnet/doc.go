// Package simnet is a network within a test: what happens on it is drawn from a
// seed, so that a schedule that broke something can be tried again.
//
// There are two kinds, and both dial and listen as tlsio.Network wants it:
//
//   - [Open] joins two of our stacks (net/netstack) by a wire that loses, doubles,
//     reorders, delays and damages Ethernet frames. What TCP carries across must
//     arrive whole; only the time that it takes may differ.
//   - [NewStreams] is TCP without packets, in memory: bytes arrive in pieces that
//     have nothing to do with the pieces that were written, writers are held up
//     half-way, and, when asked for, a bit flips or the connection breaks off at a
//     given byte. What is above has only its own checks against that.
//
// Seeds repeat the choices, not the order in which goroutines come to make them.
// Time is real: delays are short, and nothing here takes part in a test's verdict
// by how long it took.
//
// Tests that want many schedules use [Run], whose seeds the environment variables
// INGOT_SEED (one seed again) and INGOT_SEEDS (a number of new ones) replace.
package simnet
