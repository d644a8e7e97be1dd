// Package gdbremote is a small client of GDB's remote protocol: for tests of what a
// debugger would attach to, which need no gdb so, and for tools that look into a machine.
//
// Protocol: GDB manual, appendix E "GDB Remote Serial Protocol": "$", text, "#" and a
// checksum in two hex digits each way, each acknowledged with "+".
package gdbremote
