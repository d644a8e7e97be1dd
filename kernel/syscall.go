package kernel

// System call numbers of Linux on arm (EABI).
const (
	sysExit             = 1
	sysRead             = 3
	sysWrite            = 4
	sysOpen             = 5
	sysClose            = 6
	sysGetpid           = 20
	sysKill             = 37
	sysBrk              = 45
	sysIoctl            = 54
	sysFcntl            = 55
	sysGetppid          = 64
	sysMunmap           = 91
	sysSetitimer        = 104
	sysGetitimer        = 105
	sysClone            = 120
	sysUname            = 122
	sysMprotect         = 125
	sysSchedYield       = 158
	sysNanosleep        = 162
	sysPrctl            = 172
	sysRtSigreturn      = 173
	sysRtSigaction      = 174
	sysRtSigprocmask    = 175
	sysGetcwd           = 183
	sysSigaltstack      = 186
	sysMmap2            = 192
	sysStat64           = 195
	sysFstat64          = 197
	sysGetuid32         = 199
	sysGetgid32         = 200
	sysGeteuid32        = 201
	sysGetegid32        = 202
	sysMadvise          = 220
	sysFcntl64          = 221
	sysGettid           = 224
	sysTkill            = 238
	sysFutex            = 240
	sysGetaffinity      = 242
	sysExitGroup        = 248
	sysEpollWait        = 252
	sysEpollCtl         = 251
	sysSetTidAddress    = 256
	sysClockSettime     = 262
	sysClockGettime     = 263
	sysClockGetres      = 264
	sysClockNanosleep   = 265
	sysTgkill           = 268
	sysOpenat           = 322
	sysFstatat64        = 327
	sysFaccessat        = 334
	sysEpollPwait       = 346
	sysEventfd2         = 356
	sysEpollCreate1     = 357
	sysPipe2            = 359
	sysPrlimit64        = 369
	sysGetrandom        = 384
	sysStatx            = 397
	sysClockGettime64   = 403
	sysClockSettime64   = 404
	sysClockGetres64    = 406
	sysClockNanosleep64 = 407
	sysFutexTime64      = 422
	sysFaccessat2       = 439

	sysARMSetTLS = 0xf0005
)

// syscall answers the running thread's system call: its number in r7, its
// arguments in r0 to r5, as the EABI has it. The result is for r0 unless the
// thread was blocked.
func (k *Kernel) syscall(t *Thread) int32 {
	k.stats.Syscalls++
	a, b, c, d, e, f := t.R[0], t.R[1], t.R[2], t.R[3], t.R[4], t.R[5]
	switch t.R[7] {
	// Time and threads first: these are what a running program calls.
	case sysFutex:
		return k.futex(a, b, c, d, false)
	case sysFutexTime64:
		return k.futex(a, b, c, d, true)
	case sysEpollPwait:
		if e != 0 {
			return EINVAL // a signal mask for the wait
		}
		return k.epollWait(a, b, c, int32(d))
	case sysEpollWait:
		return k.epollWait(a, b, c, int32(d))
	case sysRead:
		return k.read(a, b, c)
	case sysWrite:
		return k.write(a, b, c)
	case sysNanosleep:
		ns, errno := k.timespec(a, false)
		if errno == 0 {
			k.sleep(ns)
		}
		return errno
	case sysClockNanosleep, sysClockNanosleep64:
		return k.clockNanosleep(a, b, c, t.R[7] == sysClockNanosleep64)
	case sysSchedYield:
		if k.anyReady() {
			k.sliceEnd = 0
			k.resched = true
		}
		return 0
	case sysTgkill:
		if int32(a) != 1 {
			return ESRCH
		}
		return k.tgkill(int32(b), c)
	case sysTkill:
		return k.tgkill(int32(a), b)
	case sysClockGettime, sysClockGettime64:
		return k.clockGettime(a, b, t.R[7] == sysClockGettime64)
	case sysClockGetres, sysClockGetres64:
		return k.clockGetres(a, b, t.R[7] == sysClockGetres64)
	case sysClockSettime, sysClockSettime64:
		return k.clockSettime(a, b, t.R[7] == sysClockSettime64)

	case sysMmap2:
		return int32(k.mmap(a, b, c, d, e, f))
	case sysMunmap:
		return k.munmap(a, b)
	case sysMprotect:
		return k.mprotect(a, b, c)
	case sysMadvise:
		return k.madvise(a, b, c)
	case sysBrk:
		return int32(userStart) // no heap of this kind

	case sysClone:
		return k.clone(a, b, d)
	case sysExit:
		if k.live == 1 {
			k.exit(int32(a & 0xff))
		} else {
			k.exitThread()
		}
		return 0
	case sysExitGroup:
		k.exit(int32(a & 0xff))
		return 0
	case sysGettid, sysSetTidAddress:
		return t.tid
	case sysGetpid:
		return 1
	case sysGetppid, sysGetuid32, sysGetgid32, sysGeteuid32, sysGetegid32:
		return 0
	case sysGetaffinity:
		return k.getaffinity(b, c)
	case sysARMSetTLS:
		t.tls = a
		k.setTLS(a)
		return 0

	case sysRtSigaction:
		return k.sigaction(a, b, c, d)
	case sysRtSigprocmask:
		return k.sigprocmask(a, b, c, d)
	case sysSigaltstack:
		return k.sigaltstack(a, b)
	case sysSetitimer:
		return k.setitimer(a, b, c)
	case sysGetitimer:
		return k.getitimer(a, b)
	case sysKill:
		return k.kill(int32(a), b)
	case sysRtSigreturn:
		k.sigreturn()
		return int32(t.R[0])

	case sysOpen:
		return k.open(a, b)
	case sysOpenat:
		return k.open(b, c)
	case sysClose:
		return k.close(a)
	case sysFcntl, sysFcntl64:
		return k.fcntl(a, b, c)
	case sysIoctl:
		return k.ioctl(a, b, c)
	case sysEventfd2:
		return k.eventfd(a, b)
	case sysPipe2:
		return k.pipe2(a, b)
	case sysEpollCreate1:
		return k.epollCreate()
	case sysEpollCtl:
		return k.epollCtl(a, b, c, d)
	case sysStat64, sysFstatat64, sysStatx, sysFaccessat, sysFaccessat2:
		return ENOENT // there is no file system
	case sysGetcwd:
		return k.getcwd(a, b)

	case sysGetrandom:
		return k.getrandom(a, b, c)
	case sysUname:
		return k.uname(a)
	case sysPrlimit64:
		return k.prlimit(c, d)
	case sysPrctl:
		return EINVAL
	}
	k.stats.Unknown++
	return ENOSYS
}

func (k *Kernel) clockNanosleep(id, flags, ts uint32, wide bool) int32 {
	ns, errno := k.timespec(ts, wide)
	if errno != 0 {
		return errno
	}
	now, ok := k.readClock(id)
	if !ok {
		return EINVAL
	}
	if flags&1 != 0 { // TIMER_ABSTIME
		if ns <= now {
			return 0
		}
		ns -= now
	}
	k.sleep(ns)
	return 0
}

// getaffinity reports one CPU.
func (k *Kernel) getaffinity(size, mask uint32) int32 {
	if size < 4 || size&3 != 0 {
		return EINVAL
	}
	if !k.putWord(mask, 1) {
		return EFAULT
	}
	return 4
}

func (k *Kernel) getcwd(buf, size uint32) int32 {
	if size < 4 {
		return ERANGE
	}
	if !k.putWord(buf, '/') {
		return EFAULT
	}
	return 2
}

func (k *Kernel) ioctl(fd, request, arg uint32) int32 {
	const rndAddEntropy = 0x40085203
	f := k.file(fd)
	if f == nil {
		return EBADF
	}
	if f.kind == fileRandom && request == rndAddEntropy {
		return k.addEntropy(arg)
	}
	return ENOTTY
}

// uname's release decides what Go's runtime uses: from 5.1 on, the system calls
// with 64-bit times.
func (k *Kernel) uname(buf uint32) int32 {
	const field = 65
	if !k.writable(buf, 6*field) {
		return EFAULT
	}
	for i, s := range [...]string{"Linux", "ingot", "6.6.0", "Ingot", "armv7l", ""} {
		at := buf + uint32(i)*field
		for j := 0; j <= len(s); j++ {
			b := byte(0)
			if j < len(s) {
				b = s[j]
			}
			pa, _ := k.translate(at+uint32(j), true)
			*(*byte)(k.ptr(pa)) = b
		}
	}
	return 0
}

// prlimit says how many files can be open, whatever was asked, and lets the
// program believe that it can change it.
func (k *Kernel) prlimit(new, old uint32) int32 {
	if new != 0 {
		if _, ok := k.getWord(new); !ok {
			return EFAULT
		}
	}
	if old == 0 {
		return 0
	}
	for i := uint32(0); i < 16; i += 8 {
		if !k.putWord(old+i, MaxFiles) || !k.putWord(old+i+4, 0) {
			return EFAULT
		}
	}
	return 0
}
