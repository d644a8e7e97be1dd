// Package devrun is "ingot run": it takes a firmware from source to a TLS port
// that answers on the developer's machine, and says how to talk to it.
//
// The steps, in order, each with an error that says what to do: the emulator
// is there, the port is free, there are development certificates and the image
// will accept them, the image builds, the machine starts, and a TLS handshake
// succeeds that verifies the certificate as any client would. Only then is the
// firmware called ready.
package devrun
