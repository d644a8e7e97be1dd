package kernel

import "unsafe"

// What a file descriptor can be.
const (
	fileFree = iota
	fileConsole
	fileNull
	fileRandom
	fileText   // a generated, read-only text: see text.go
	fileEvent  // eventfd
	filePipeIn // the end that is written
	filePipeOut
	filePoll // epoll
	fileDevice
)

const (
	oAccMode  = 3
	oNonblock = 0x800
)

// A file is an open file descriptor. There is no dup, so a descriptor and what
// is behind it are one thing, and waiters can queue right here.
type file struct {
	kind    uint8
	flags   uint32
	object  int16  // index into the table of the kind, or which text
	watches int16  // list of epoll watches, by next; none = empty
	offset  uint32 // of a text; of a device, the interrupts already read
	waiters queue
}

// newFile takes the lowest free descriptor.
func (k *Kernel) newFile(kind uint8, object int16, flags uint32) (int32, errno) {
	for i := range k.files {
		f := &k.files[i]
		if f.kind == fileFree {
			*f = file{kind: kind, object: object, flags: flags & (oAccMode | oNonblock),
				watches: none, waiters: queue{none, none}}
			return int32(i), 0
		}
	}
	return -1, EMFILE
}

func (k *Kernel) file(fd uint32) *file {
	if fd >= MaxFiles || k.files[fd].kind == fileFree {
		return nil
	}
	return &k.files[fd]
}

func (k *Kernel) open(path, flags uint32) int32 {
	var name [64]byte
	n, errno := k.getPath(&name, path)
	if errno != 0 {
		return errno
	}
	p := name[:n]
	kind, object := uint8(fileFree), int16(0)
	switch {
	case isPath(p, "/dev/null"):
		kind = fileNull
	case isPath(p, "/dev/random"), isPath(p, "/dev/urandom"):
		kind = fileRandom
	case hasPrefix(p, "/dev/uio"):
		d, rest := index(p[len("/dev/uio"):])
		if d < 0 || d >= k.ndevices || len(rest) != 0 {
			return ENOENT
		}
		if k.devices[d].fd != none {
			return EBUSY // the interrupt has one listener
		}
		kind, object = fileDevice, int16(d)
	default:
		t := k.findText(p)
		if t < 0 {
			return ENOENT
		}
		if flags&oAccMode != 0 {
			return EACCES
		}
		kind, object = fileText, t
	}
	fd, errno := k.newFile(kind, object, flags)
	if errno != 0 {
		return errno
	}
	if kind == fileDevice {
		k.openDevice(fd)
	}
	return fd
}

func (k *Kernel) close(fd uint32) int32 {
	f := k.file(fd)
	if f == nil {
		return EBADF
	}
	k.unwatchAll(f)
	for f.waiters.head != none {
		k.abort(f.waiters.head, EBADF) // the number may be another file's before it runs
	}
	switch f.kind {
	case fileEvent:
		k.events[f.object].used = false
	case filePipeIn, filePipeOut:
		k.closePipe(f)
	case filePoll:
		k.closePoll(f.object)
	case fileDevice:
		k.closeDevice(f.object)
	}
	f.kind = fileFree
	return 0
}

func (k *Kernel) fcntl(fd, cmd, arg uint32) int32 {
	f := k.file(fd)
	if f == nil {
		return EBADF
	}
	switch cmd {
	case 1, 2: // F_GETFD, F_SETFD: there is no exec
		return 0
	case 3: // F_GETFL
		return int32(f.flags)
	case 4: // F_SETFL
		f.flags = f.flags&^oNonblock | arg&oNonblock
		return 0
	}
	return EINVAL
}

// waitForFile blocks the running thread until something happens at its file, or
// says EAGAIN to one that does not want to wait.
func (k *Kernel) waitForFile(fd uint32) int32 {
	f := &k.files[fd]
	if f.flags&oNonblock != 0 {
		return EAGAIN
	}
	k.blockOn(&f.waiters, waitFile, int16(fd))
	return 0
}

func (k *Kernel) read(fd, buf, n uint32) int32 {
	f := k.file(fd)
	if f == nil {
		return EBADF
	}
	if n > 1<<30 {
		n = 1 << 30
	}
	switch f.kind {
	case fileConsole:
		return k.readConsole(fd, buf, n)
	case fileNull:
		return 0
	case fileRandom:
		if f.flags&oNonblock != 0 {
			return k.getrandom(buf, n, grndNonblock)
		}
		return k.getrandom(buf, n, 0)
	case fileText:
		return k.readText(f, buf, n)
	case fileEvent:
		return k.readEvent(fd, buf, n)
	case filePipeOut:
		return k.readPipe(fd, buf, n)
	case fileDevice:
		return k.readDevice(fd, buf, n)
	case filePipeIn:
		return EBADF
	}
	return EINVAL
}

func (k *Kernel) write(fd, buf, n uint32) int32 {
	t := &k.threads[k.cur]
	done := t.written // on the console, see writeConsole
	t.written = 0
	f := k.file(fd)
	if done > 0 && (f == nil || f.kind != fileConsole) {
		return int32(done) // it was closed meanwhile
	}
	if f == nil {
		return EBADF
	}
	if n > 1<<30 {
		n = 1 << 30
	}
	switch f.kind {
	case fileConsole:
		return k.writeConsole(buf, n, done)
	case fileNull:
		return int32(n)
	case fileRandom:
		return k.stirRandom(buf, n)
	case fileEvent:
		return k.writeEvent(fd, buf, n)
	case filePipeIn:
		return k.writePipe(fd, buf, n)
	case fileDevice:
		return k.writeDevice(f.object, buf, n)
	case fileText, filePipeOut:
		return EBADF
	}
	return EINVAL
}

// ready says what could be done with a file without waiting.
func (k *Kernel) ready(f *file) uint32 {
	switch f.kind {
	case fileConsole:
		if k.console.n > 0 {
			return pollIn | pollOut
		}
		return pollOut
	case fileEvent:
		e := &k.events[f.object]
		r := uint32(0)
		if e.count > 0 {
			r |= pollIn
		}
		if e.count < maxEventCount {
			r |= pollOut
		}
		return r
	case filePipeOut:
		p := &k.pipes[f.object]
		r := uint32(0)
		if p.n > 0 {
			r |= pollIn
		}
		if p.in == none {
			r |= pollHup
		}
		return r
	case filePipeIn:
		p := &k.pipes[f.object]
		if p.out == none {
			return pollErr | pollOut
		}
		if p.n < pipeSize {
			return pollOut
		}
	case fileDevice:
		if k.devices[f.object].count != f.offset {
			return pollIn
		}
	}
	return 0
}

// notify tells everybody who waits at a descriptor that something happened. now
// is whether to run them at once: true for what comes from outside.
func (k *Kernel) notify(fd int16, now bool) {
	if fd == none {
		return
	}
	f := &k.files[fd]
	for f.waiters.head != none {
		k.wake(f.waiters.head, 0, now)
	}
	for w := f.watches; w != none; w = k.watches[w].next {
		k.watches[w].fresh = true
		k.wakePoll(k.watches[w].poll, now)
	}
}

// eventFD is a counter: write adds, read takes all.
type eventFD struct {
	used  bool
	count uint64
}

const maxEventCount = ^uint64(0) - 1

func (k *Kernel) eventfd(initial, flags uint32) int32 {
	const cloexec = 0x80000 // means nothing without exec
	if flags&^(oNonblock|cloexec) != 0 {
		return EINVAL // EFD_SEMAPHORE among them
	}
	for i := range k.events {
		e := &k.events[i]
		if e.used {
			continue
		}
		fd, errno := k.newFile(fileEvent, int16(i), flags|2)
		if errno != 0 {
			return errno
		}
		*e = eventFD{used: true, count: uint64(initial)}
		return fd
	}
	return EMFILE
}

func (k *Kernel) readEvent(fd, buf, n uint32) int32 {
	e := &k.events[k.files[fd].object]
	if n < 8 {
		return EINVAL
	}
	if e.count == 0 {
		return k.waitForFile(fd)
	}
	v := e.count
	if !k.copyOut(buf, unsafe.Pointer(&v), 8) {
		return EFAULT
	}
	e.count = 0
	k.notify(int16(fd), false)
	return 8
}

func (k *Kernel) writeEvent(fd, buf, n uint32) int32 {
	e := &k.events[k.files[fd].object]
	var v uint64
	if n < 8 {
		return EINVAL
	}
	if !k.copyIn(unsafe.Pointer(&v), buf, 8) {
		return EFAULT
	}
	if v == ^uint64(0) {
		return EINVAL
	}
	if v > maxEventCount-e.count {
		return k.waitForFile(fd)
	}
	e.count += v
	k.notify(int16(fd), false)
	return 8
}
