//go:build !unix

package atomicfile

import "os"

// Without locks nothing is known to be abandoned.
func lock(*os.File) {}

func abandoned(*os.File) bool { return false }
