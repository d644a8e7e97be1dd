// Package tlsiotest is what tests of packages that stand on tlsio begin with: a network,
// and an application on it.
package tlsiotest
