// Package pki makes keys and certificates for development and tests: a
// self-signed authority, intermediates below it, and the certificates they
// issue. It never runs in a firmware image; package certs reads what it makes.
//
// Keys come from crypto/rand and serial numbers are random, so two runs never
// give the same bytes.
package pki
