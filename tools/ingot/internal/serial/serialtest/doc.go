// Package serialtest has serial ports for tests.
package serialtest
