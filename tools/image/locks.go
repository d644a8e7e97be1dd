package image

import (
	"regexp"
	"strings"
)

// What gVisor's locks tell a debugging aid, which is there with build tag lockdep only.
var locks = []cut{{
	// 32 KB, and two calls less for each time that a lock is held. Each kind of lock is a
	// type, which is described to the aid at start: so are the structures that it is in,
	// and packages that are there for nothing else.
	name:    "names of gVisor's locks",
	module:  gvisor,
	tag:     "lockdep",
	all:     []string{"pkg/tcpip/stack/*_mutex.go", "pkg/tcpip/transport/*/*_mutex.go"},
	rewrite: silentLock,
	also: []part{
		{file: "pkg/sync/locking/atomicptrmap_ancestors_unsafe.go", edits: []edit{{"\nfunc init() {\n", "\nfunc _() {\n"}}},
		{file: "pkg/sync/locking/atomicptrmap_goroutine_unsafe.go", edits: []edit{{"\nfunc init() {\n", "\nfunc _() {\n"}}},
	},
}}

var (
	lockCall = regexp.MustCompile(`(?m)^\tlocking\.(Add|Del)GLock\(\w+, (-1|int\(i\))\)$`)
	lockInit = regexp.MustCompile(`(?m)^func init\(\) \{\n\t\w+\(\)\n\t\w+ = locking\.NewMutexClass\(`)
)

// silentLock takes what is for the aid out of a file with a lock, as gVisor's templates
// make them.
func silentLock(text string) (string, bool) {
	if len(lockInit.FindAllString(text, -1)) != 1 || !lockCall.MatchString(text) {
		return "", false
	}
	text = lockCall.ReplaceAllString(text, "")
	text = strings.Replace(text, "\nfunc init() {\n", "\nfunc _() {\n", 1)
	return text, !strings.Contains(text, "GLock(") && !strings.Contains(text, "func init()")
}
