package profile

import (
	"slices"
	"strings"
)

// A Layer is a part of what a firmware does, by who does it.
type Layer string

// Layers, from the wire to the program, then what serves all of them.
const (
	Driver       Layer = "driver"
	Kernel       Layer = "kernel"
	Netstack     Layer = "netstack"
	TLS          Layer = "TLS"
	Cipher       Layer = "cipher"
	PublicKeys   Layer = "public keys"
	Hashes       Layer = "hashes"
	Certificates Layer = "certificates"
	Network      Layer = "ours: network"
	Program      Layer = "ours: TLS and program"
	Scheduling   Layer = "runtime: scheduling"
	Allocation   Layer = "runtime: allocation"
	Collection   Layer = "runtime: GC"
	Atomics      Layer = "atomic operations"
	Other        Layer = "other"
)

// Layers lists them in this order.
func Layers() []Layer {
	return []Layer{
		Driver, Kernel, Netstack, TLS, Cipher, PublicKeys, Hashes, Certificates,
		Network, Program, Scheduling, Allocation, Collection, Atomics, Other,
	}
}

// Layers returns the share of each layer that has one; they add up to 1.
//
// A sample is its innermost function's, if that function belongs to a layer by its
// package. What everybody uses belongs to whoever called it: copying and comparing
// memory, maps, package sync and the like. In Go's runtime, the functions decide that
// the runtime schedules, allocates or collects with. A function that makes a
// system call stands for the kernel. A page fault's time is that of the function which
// it interrupted. Of samples in atomic operations, on arm, the runtime notes no stack:
// they are a layer of their own.
func (p *Profile) Layers() map[Layer]float64 {
	shares := make(map[Layer]float64)
	for _, s := range p.stacks {
		shares[layerOf(s.frames)] += float64(s.count) / float64(p.total)
	}
	return shares
}

// layerOf judges a stack, whose innermost frame is the last.
func layerOf(frames []string) Layer {
	if isSystemCall(frames[len(frames)-1]) {
		return Kernel
	}
	for _, f := range slices.Backward(frames) {
		if l := layerOfFunction(f); l != "" {
			return l
		}
	}
	innermost := frames[len(frames)-1]
	if innermost == "runtime._LostSIGPROFDuringAtomic64" {
		return Atomics
	}
	if pkg := packageOf(innermost); pkg == "runtime" || strings.HasPrefix(pkg, "internal/runtime/") {
		return Scheduling // on a stack of the scheduler's own
	}
	return Other
}

// packageOf returns the import path of a function's package, as the linker has it: a
// dot in the last element is %2e.
func packageOf(function string) string {
	// A type's arguments may hold paths, too.
	if at := strings.IndexByte(function, '['); at >= 0 {
		function = function[:at]
	}
	slash := strings.LastIndexByte(function, '/') + 1
	dot := strings.IndexByte(function[slash:], '.')
	if dot < 0 {
		return function
	}
	return strings.ReplaceAll(function[:slash+dot], "%2e", ".")
}

// systemCalls make system calls and do nothing else.
var systemCalls = []string{
	"internal/runtime/syscall/linux.Syscall6", "internal/runtime/syscall.Syscall6",
	"runtime.futex", "runtime.usleep", "runtime.osyield", "runtime.madvise", "runtime.mmap", "runtime.munmap",
	"runtime.sysMmap", "runtime.sysMunmap", "runtime.tgkill", "runtime.raiseproc", "runtime.raise", "runtime.clone", "runtime.rtsigprocmask",
	"runtime.rt_sigaction", "runtime.sigaltstack", "runtime.sigreturn__sigaction", "runtime.setitimer",
	"runtime.timer_create", "runtime.timer_settime", "runtime.timer_delete", "runtime.mincore",
	"runtime.read", "runtime.write1", "runtime.open", "runtime.closefd", "runtime.pipe2", "runtime.exitThread",
	"runtime.gettid", "runtime.sched_getaffinity", "runtime.sbrk0",
}

func isSystemCall(function string) bool {
	return slices.Contains(systemCalls, function) || packageOf(function) == "ingot.dev/kernel"
}

// A rule gives packages to a layer: a path, and all below it.
type rule struct {
	path  string
	layer Layer
}

// rules by package; the first that fits decides.
var rules = []rule{
	{"ingot.dev/board", Driver},
	{"ingot.dev/kernel", Kernel},
	{"ingot.dev/net", Network},
	{"ingot.dev/certs", Certificates},
	{"ingot.dev", Program},
	{"main", Program},
	{"gvisor.dev/gvisor", Netstack},
	{"golang.org/x/crypto", Cipher},
	{"crypto/tls", TLS},
	{"crypto/internal/fips140/aes", Cipher},
	{"crypto/internal/fips140/alias", ""},
	{"crypto/internal/fips140/subtle", ""},
	{"crypto/internal/fips140/sha256", Hashes},
	{"crypto/internal/fips140/sha512", Hashes},
	{"crypto/internal/fips140/sha3", Hashes},
	{"crypto/internal/fips140/hmac", Hashes},
	{"crypto/internal/fips140/hkdf", Hashes},
	{"crypto/internal/fips140/tls12", Hashes},
	{"crypto/internal/fips140/tls13", Hashes},
	{"crypto/internal/fips140/drbg", PublicKeys},
	{"crypto/internal/fips140", PublicKeys},
	{"crypto/internal/fips140deps", ""},
	{"crypto/internal/fips140hash", Hashes},
	{"crypto/internal/fips140only", ""},
	{"crypto/internal/sysrand", PublicKeys},
	{"crypto/internal/constanttime", ""},
	{"crypto/internal/boring", ""},
	{"crypto/subtle", ""},
	{"crypto/cipher", Cipher},
	{"crypto/aes", Cipher},
	{"vendor/golang.org/x/crypto/chacha20", Cipher},
	{"vendor/golang.org/x/crypto/chacha20poly1305", Cipher},
	{"vendor/golang.org/x/crypto/internal", Cipher},
	{"vendor/golang.org/x/crypto/cryptobyte", ""},
	{"crypto/hmac", Hashes},
	{"crypto/hkdf", Hashes},
	{"crypto/sha256", Hashes},
	{"crypto/sha512", Hashes},
	{"crypto/sha3", Hashes},
	{"crypto/x509", Certificates},
	{"encoding/asn1", Certificates},
	{"crypto", PublicKeys},
}

// What Go's runtime schedules, allocates and collects with: names of its functions,
// or their beginnings.
var (
	collects = []string{
		"gcBgMarkWorker", "gcDrain", "gcAssist", "gcStart", "gcMark", "gcSweep", "gcController", "(*gcWork)", "(*gcControllerState)",
		"bgsweep", "bgscavenge", "sweepone", "(*sweepLocked)", "(*mspan).sweep", "deductSweepCredit", "(*scavengerState)", "(*pageAlloc).scavenge",
		"scanobject", "scanblock", "scanstack", "scanConservative", "scanframeworker", "greyobject", "markroot", "wbBufFlush", "gcWriteBarrier", "shade",
		"stopTheWorldGC", "runfinq", "runFinalizers", "(*limiterEvent)", "spanInlineMarkBits", "tryDeferToSpanScan", "gcFlushBgCredit", "stopTheWorld", "startTheWorld",
	}
	allocates = []string{
		"mallocgc", "newobject", "makeslice", "growslice", "growsliceNoAlloc", "makemap", "makechan", "newarray", "rawbyteslice", "rawstring", "concatstring", "slicebytetostring", "stringtoslicebyte",
		"(*mcache)", "(*mcentral)", "(*mheap)", "(*pageAlloc)", "(*pageCache)", "(*fixalloc)", "nextFreeFast", "persistentalloc", "profilealloc", "convT",
		"stackalloc", "stackfree", "stackcache", "newstack", "copystack", "morestack", "malg", "sysUsed", "sysUnused", "memclrNoHeapPointersChunked", "publicationBarrier",
	}
	schedules = []string{
		"schedule", "findRunnable", "findrunnable", "park_m", "gopark", "goready", "ready", "mcall", "gosched", "goschedImpl", "gopreempt", "goexit", "execute", "gogo",
		"newproc", "runq", "globrunq", "stealWork", "wakep", "startm", "stopm", "handoffp", "releasep", "acquirep", "pidle", "resetspinning", "injectglist",
		"netpoll", "(*pollDesc)", "sysmon", "retake", "preempt", "asyncPreempt", "notewakeup", "notesleep", "notetsleep", "futexsleep", "futexwakeup", "entersyscall", "exitsyscall", "reentersyscall",
		"casgstatus", "lock", "unlock", "semacquire", "semrelease", "semasleep", "semawakeup", "(*semaRoot)", "readyWithTime", "acquireSudog", "releaseSudog", "chansend", "chanrecv", "closechan", "selectgo", "selectnb", "sellock", "selunlock", "send", "recv", "notifyList",
		"(*timer", "(*timers)", "timeSleep", "stopTimer", "resetTimer", "newTimer", "goroutineReady", "checkTimers", "mstart", "mPark", "minit", "sigtramp", "sighandler", "doSigPreempt", "wantAsyncPreempt", "dropg", "gfget", "gfput", "gdestroy", "checkdead",
		"(*rwmutex)", "(*randomEnum)", "(*randomOrder)", "(*waitq)", "sync_runtime_", "internal_sync_", "sync_", "poll_runtime_", "nanotime", "cputicks",
	}
)

// layerOfFunction returns "" for what belongs to its caller.
func layerOfFunction(function string) Layer {
	pkg := packageOf(function)
	if pkg == "runtime" || strings.HasPrefix(pkg, "internal/runtime/") {
		name := strings.TrimPrefix(function, "runtime.")
		for _, r := range []struct {
			names []string
			layer Layer
		}{{collects, Collection}, {allocates, Allocation}, {schedules, Scheduling}} {
			for _, n := range r.names {
				if strings.HasPrefix(name, n) {
					return r.layer
				}
			}
		}
		return ""
	}
	for _, r := range rules {
		if pkg == r.path || strings.HasPrefix(pkg, r.path+"/") {
			return r.layer
		}
	}
	return ""
}
