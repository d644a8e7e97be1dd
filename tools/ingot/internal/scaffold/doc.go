// Package scaffold makes the folder that a new firmware starts from: a module
// with a program, a test of it, a README, and the certificates that it embeds.
//
// The files are those below template/, with the module's name and the like put
// in. Where Ingot's module can't be downloaded, the new go.mod points at a
// checkout of it.
package scaffold
