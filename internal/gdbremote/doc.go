// Package gdbremote is a small client of GDB's remote protocol, for tests of what a
// debugger would attach to: no test needs gdb itself.
//
// Protocol: GDB manual, appendix E "GDB Remote Serial Protocol": "$", text, "#" and a
// checksum in two hex digits each way, each acknowledged with "+".
package gdbremote
