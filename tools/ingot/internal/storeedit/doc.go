// Package storeedit changes certificate stores on disk. A change is made in memory,
// judged by the code that the firmware runs, and only then written: all of it or, when
// something can't be written, nothing.
package storeedit
