// Package testenv lets tests say what they need of the system they run on. The same
// tests run hosted and in images, where there are no files and no processes. It also has what
// tests everywhere do with files and errors.
package testenv
