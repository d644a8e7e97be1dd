// Package nistec fits package fiat's arithmetic into the standard library's points of
// P-256, for looking up multiples in tables and for inverses of scalars: see package
// armcrypto. It has no code of its own.
package nistec
