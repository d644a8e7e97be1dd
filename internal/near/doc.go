// Package near finds the name that somebody may have meant.
package near
