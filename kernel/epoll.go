package kernel

import "unsafe"

const (
	pollIn  = 0x1
	pollOut = 0x4
	pollErr = 0x8
	pollHup = 0x10
	pollET  = 1 << 31

	pollOneShot   = 1 << 30 // neither this
	pollExclusive = 1 << 28 // nor this is there
)

// A poll is an epoll instance.
type poll struct {
	used    bool
	rotate  int16 // where the next scan starts, so that no file starves another
	waiters queue
}

// A watch is one file's registration with one epoll instance. With EPOLLET it
// reports each time that something happened (fresh), without it as long as the
// file is ready.
type watch struct {
	poll   int16 // none = free
	fd     int16
	next   int16 // of the same file
	fresh  bool
	events uint32
	data   uint64
}

type epollEvent struct {
	events uint32
	_      uint32
	data   uint64
}

const epollEventSize = 16

func (k *Kernel) epollCreate() int32 {
	for i := range k.polls {
		p := &k.polls[i]
		if p.used {
			continue
		}
		fd, errno := k.newFile(filePoll, int16(i), 0)
		if errno != 0 {
			return errno
		}
		*p = poll{used: true, waiters: queue{none, none}}
		return fd
	}
	return EMFILE
}

func (k *Kernel) epollCtl(epfd, op, fd, event uint32) int32 {
	const (
		ctlAdd = 1
		ctlDel = 2
		ctlMod = 3
	)
	pf, f := k.file(epfd), k.file(fd)
	if pf == nil || f == nil {
		return EBADF
	}
	if pf.kind != filePoll || epfd == fd {
		return EINVAL
	}
	if f.kind == filePoll || f.kind == fileNull || f.kind == fileText || f.kind == fileRandom {
		return EPERM
	}
	w := f.watches
	for w != none && k.watches[w].poll != pf.object {
		w = k.watches[w].next
	}
	var ev epollEvent
	if op != ctlDel {
		if !k.copyIn(unsafe.Pointer(&ev), event, epollEventSize) {
			return EFAULT
		}
		if ev.events&(pollOneShot|pollExclusive) != 0 {
			return EINVAL
		}
	}
	switch op {
	case ctlAdd:
		if w != none {
			return EEXIST
		}
		w = k.freeWatch()
		if w == none {
			return ENOSPC
		}
		k.watchEnd = max(k.watchEnd, w+1)
		k.watches[w] = watch{poll: pf.object, fd: int16(fd), next: f.watches}
		f.watches = w
	case ctlDel:
		if w == none {
			return ENOENT
		}
		k.unwatch(f, w)
		return 0
	case ctlMod:
		if w == none {
			return ENOENT
		}
	default:
		return EINVAL
	}
	k.watches[w].events = ev.events
	k.watches[w].data = ev.data
	k.watches[w].fresh = true
	if k.reports(w) != 0 {
		k.wakePoll(pf.object, false)
	}
	return 0
}

func (k *Kernel) freeWatch() int16 {
	for i := range k.watches {
		if k.watches[i].poll == none {
			return int16(i)
		}
	}
	return none
}

func (k *Kernel) unwatch(f *file, w int16) {
	if f.watches == w {
		f.watches = k.watches[w].next
	} else {
		p := f.watches
		for k.watches[p].next != w {
			p = k.watches[p].next
		}
		k.watches[p].next = k.watches[w].next
	}
	k.watches[w].poll = none
	for k.watchEnd > 0 && k.watches[k.watchEnd-1].poll == none {
		k.watchEnd--
	}
}

func (k *Kernel) unwatchAll(f *file) {
	for f.watches != none {
		k.unwatch(f, f.watches)
	}
}

func (k *Kernel) closePoll(i int16) {
	for w := range k.watches {
		if k.watches[w].poll == i {
			k.unwatch(&k.files[k.watches[w].fd], int16(w))
		}
	}
	p := &k.polls[i]
	for p.waiters.head != none {
		k.abort(p.waiters.head, EBADF)
	}
	p.used = false
}

// wakePoll lets everybody who waits at an epoll instance look again: were it only
// one, and a signal ended its wait, nobody would see what happened.
func (k *Kernel) wakePoll(i int16, now bool) {
	for p := &k.polls[i]; p.waiters.head != none; {
		k.wake(p.waiters.head, 0, now)
	}
}

// reports is what epoll_wait would say of a watch now.
func (k *Kernel) reports(w int16) uint32 {
	wt := &k.watches[w]
	if wt.events&pollET != 0 && !wt.fresh {
		return 0
	}
	return k.ready(&k.files[wt.fd]) & (wt.events | pollErr | pollHup)
}

// epollWait implements epoll_wait and epoll_pwait. timeout is in milliseconds,
// negative for none.
func (k *Kernel) epollWait(epfd, events, maxEvents uint32, timeout int32) int32 {
	t := &k.threads[k.cur]
	again, timedOut := t.again, t.timedOut
	t.again, t.timedOut = false, false
	pf := k.file(epfd)
	if pf == nil {
		return EBADF
	}
	if pf.kind != filePoll || int32(maxEvents) <= 0 {
		return EINVAL
	}
	i := pf.object
	p := &k.polls[i]
	n := uint32(0)
	w := p.rotate
	for range k.watchEnd {
		if w++; w >= k.watchEnd {
			w = 0
		}
		if k.watches[w].poll != i {
			continue
		}
		r := k.reports(w)
		if r == 0 {
			continue
		}
		ev := epollEvent{events: r, data: k.watches[w].data}
		if !k.copyOut(events+n*epollEventSize, unsafe.Pointer(&ev), epollEventSize) {
			if n == 0 {
				return EFAULT
			}
			break
		}
		k.watches[w].fresh = false
		if n++; n == maxEvents {
			break
		}
	}
	if n > 0 || timeout == 0 || timedOut {
		p.rotate = w
		return int32(n)
	}
	if !again {
		t.deadline = 0
		if timeout > 0 {
			t.deadline = k.deadlineIn(uint64(timeout) * 1e6)
		}
	}
	if t.deadline != 0 {
		k.startTimer(k.cur, t.deadline)
	}
	t.again = true
	k.blockOn(&p.waiters, waitPoll, i)
	return 0
}
