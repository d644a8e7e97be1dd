// Package fiat is the arithmetic of P-256's field and of the group's order in ARM
// assembly: see package armcrypto.
//
// Points and scalars, with the formulas for them, are the standard library's.
package fiat
