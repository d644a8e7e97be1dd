// Package servicetest runs the services of a firmware in tests, without a board.
package servicetest
