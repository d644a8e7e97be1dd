//go:build !arm

package kernel

import "fmt"

// checkInvariants says what about the kernel's state can't be. It holds at every
// return to user mode.
func checkInvariants(k *Kernel) error {
	if k.exited {
		return nil
	}
	for _, check := range []func(*Kernel) error{
		checkMemory, checkThreads, checkTimers, checkFiles, checkWatches, checkWaits,
	} {
		if err := check(k); err != nil {
			return err
		}
	}
	return nil
}

// checkMemory walks the page table and the lists of free frames and tables: every
// frame has exactly one owner, and the accounts agree.
func checkMemory(k *Kernel) error {
	owner := map[uint32]string{} // frame → what has it
	take := func(pa uint32, what string) error {
		if pa&pageMask != 0 || pa < k.frames.first || pa >= k.frames.fresh {
			return fmt.Errorf("%s at %#x is no frame that was handed out", what, pa)
		}
		if o := owner[pa]; o != "" {
			return fmt.Errorf("frame %#x is %s and %s", pa, o, what)
		}
		owner[pa] = what
		return nil
	}
	tables := map[uint32]bool{} // level-2 tables, in use or free
	var tableFrames uint32
	takeTable := func(pa uint32) error {
		if pa&(tableSize-1) != 0 || tables[pa] {
			return fmt.Errorf("level-2 table at %#x is misaligned or has two owners", pa)
		}
		tables[pa] = true
		if owner[pa&^pageMask] == "tables" {
			return nil
		}
		tableFrames++
		return take(pa&^pageMask, "tables")
	}
	committed, mapped := uint32(0), uint32(0)
	for mb := uint32(0); mb < userEnd; mb += mega {
		l1 := *k.l1Entry(mb)
		if l1&3 == 0 {
			if err := checkMarker(mb, l1); err != nil {
				return err
			}
			if mb == 0 && l1 != 0 {
				return fmt.Errorf("page 0 is mapped")
			}
			if l1&markCommit != 0 {
				committed += mega / pageSize
			}
			continue
		}
		if l1&0x3ff != l1Table {
			return fmt.Errorf("level-1 entry %#x of %#x", l1, mb)
		}
		if err := takeTable(l1 &^ 0x3ff); err != nil {
			return err
		}
		for va := mb; va-mb < mega; va += pageSize {
			e := *k.word(l2Slot(l1, va))
			if va == 0 && e != 0 {
				return fmt.Errorf("page 0 is mapped")
			}
			if !valid(e) {
				if err := checkMarker(va, e); err != nil {
					return err
				}
				if e&markCommit != 0 {
					committed++
				}
				continue
			}
			if err := checkPage(k, va, e); err != nil {
				return err
			}
			if k.frames.owns(e) {
				committed++
				mapped++
				if err := take(e&^pageMask, "mapped"); err != nil {
					return err
				}
			}
		}
	}
	for i := range k.pipes {
		if pa := k.pipes[i].frame; pa != 0 {
			committed++
			mapped++
			if err := take(pa, "a pipe's"); err != nil {
				return err
			}
		}
	}
	for pa := k.frames.tables; pa != 0; pa = *k.word(pa) {
		if err := takeTable(pa); err != nil {
			return err
		}
	}
	if uint32(len(tables)) != tableFrames*4 {
		return fmt.Errorf("%d level-2 tables in %d frames", len(tables), tableFrames)
	}
	for pa := k.frames.free; pa != 0; pa = *k.word(pa) {
		if err := take(pa, "free"); err != nil {
			return err
		}
	}
	if got := uint32(len(owner)); got != (k.frames.fresh-k.frames.first)>>pageShift {
		return fmt.Errorf("%d frames have owners, %d were handed out", got, (k.frames.fresh-k.frames.first)>>pageShift)
	}
	if got := mapped + tableFrames; got != k.frames.used {
		return fmt.Errorf("%d frames are in use, %d say the accounts", got, k.frames.used)
	}
	if committed != k.frames.committed || committed > k.frames.limit {
		return fmt.Errorf("%d frames are committed, %d say the accounts, %d are allowed", committed, k.frames.committed, k.frames.limit)
	}
	return nil
}

func checkMarker(va, m uint32) error {
	if m != 0 && (m&markMapped == 0 || m&^(markMapped|markRead|markWrite|markCommit) != 0 ||
		m&markWrite != 0 && m&markRead == 0) {
		return fmt.Errorf("marker %#x at %#x", m, va)
	}
	return nil
}

// checkPage looks at a valid entry: what it maps and with which rights.
func checkPage(k *Kernel, va, e uint32) error {
	pa, attr := e&^pageMask, e&pageMask
	fixed := va >= clockPage
	image := va >= testText && va < k.vm.imageHi
	switch {
	case attr == pteText:
		if !(image && pa == va) && va != vdsoPage {
			return fmt.Errorf("executable page at %#x", va)
		}
		return nil
	case k.frames.owns(pa):
		if attr != pteData && attr != pteRodata && attr != pteHidden || fixed && attr != pteRodata {
			return fmt.Errorf("entry %#x at %#x", e, va)
		}
		return nil
	case image && pa == va:
		if attr != pteData && attr != pteRodata {
			return fmt.Errorf("entry %#x at %#x", e, va)
		}
		return nil
	}
	for i := range k.ndevices {
		d := &k.devices[i]
		if pa >= d.regs && pa < d.regs+d.size && attr&^pteRO == pteDevice|pteUser ||
			pa >= d.dma && pa < d.dma+d.dmaLen && attr&^pteRO == pteUncached|pteUser {
			return nil
		}
	}
	return fmt.Errorf("entry %#x at %#x maps what the program must not have", e, va)
}

// walk visits a queue and checks its links.
func (k *Kernel) walk(q *queue, visit func(int16) error) error {
	prev, n := int16(none), 0
	for i := q.head; i != none; prev, i = i, k.threads[i].next {
		if n++; n > MaxThreads {
			return fmt.Errorf("a queue has a loop")
		}
		if k.threads[i].prev != prev {
			return fmt.Errorf("thread %d: prev %d, want %d", i, k.threads[i].prev, prev)
		}
		if err := visit(i); err != nil {
			return err
		}
	}
	if q.tail != prev {
		return fmt.Errorf("tail of a queue is %d, want %d", q.tail, prev)
	}
	return nil
}

// checkThreads checks that every thread is where its state says, and only there.
func checkThreads(k *Kernel) error {
	place := map[int16]string{}
	put := func(i int16, p string) error {
		if was := place[i]; was != "" {
			return fmt.Errorf("thread %d is in %s and in %s", i, was, p)
		}
		place[i] = p
		return nil
	}
	visit := func(q *queue, name string, state, wait uint8, also func(*Thread) bool) error {
		return k.walk(q, func(i int16) error {
			t := &k.threads[i]
			if t.state != state || t.wait != wait || also != nil && !also(t) {
				return fmt.Errorf("thread %d in %s: state %d, waits for %d", i, name, t.state, t.wait)
			}
			return put(i, name)
		})
	}
	if err := visit(&k.runq, "run queue", threadReady, waitNone, nil); err != nil {
		return err
	}
	if err := visit(&k.woken, "queue of the woken", threadReady, waitNone, nil); err != nil {
		return err
	}
	for b := range k.futexes {
		if err := visit(&k.futexes[b], "futex queue", threadBlocked, waitFutex, func(t *Thread) bool {
			return futexBucket(t.futex) == uint32(b)
		}); err != nil {
			return err
		}
	}
	for f := range k.files {
		if k.files[f].kind == fileFree {
			if k.files[f].waiters.head > 0 {
				return fmt.Errorf("threads wait at the closed descriptor %d", f)
			}
			continue
		}
		if err := visit(&k.files[f].waiters, "file queue", threadBlocked, waitFile, func(t *Thread) bool {
			return t.waitOn == int16(f)
		}); err != nil {
			return err
		}
	}
	for p := range k.polls {
		if !k.polls[p].used {
			continue
		}
		if err := visit(&k.polls[p].waiters, "poll queue", threadBlocked, waitPoll, func(t *Thread) bool {
			return t.waitOn == int16(p) && t.again
		}); err != nil {
			return err
		}
	}
	if err := visit(&k.random.waiters, "queue for randomness", threadBlocked, waitRandom, nil); err != nil {
		return err
	}
	free := 0
	for i := k.freeHead; i != none; i = k.threads[i].next {
		if free++; free > MaxThreads || k.threads[i].state != threadFree {
			return fmt.Errorf("thread %d on the free list: state %d", i, k.threads[i].state)
		}
		if err := put(i, "free list"); err != nil {
			return err
		}
	}
	if free+int(k.live) != MaxThreads {
		return fmt.Errorf("%d free threads, %d live", free, k.live)
	}
	if k.cur == none {
		return fmt.Errorf("nobody runs")
	}
	if t := &k.threads[k.cur]; t.state != threadRunning || t.sigPending&^t.sigMask != 0 && t.written == 0 {
		return fmt.Errorf("running thread %d: state %d, deliverable signals %#x", k.cur, t.state, t.sigPending&^t.sigMask)
	}
	for i := range k.threads {
		t := &k.threads[i]
		if t.state != threadFree && (t.CPSR&^uint32(cpsrFlags) != cpsrUser || t.PC&3 != 0) {
			return fmt.Errorf("thread %d would run at %#x with CPSR %#x", i, t.PC, t.CPSR)
		}
		if t.written > 0 && (t.PC != testSVC || t.R[7] != sysWrite || t.written >= t.R[2] || t.state == threadBlocked) {
			return fmt.Errorf("thread %d has %d bytes of a write behind it, but is in call %d at %#x, state %d", i, t.written, t.R[7], t.PC, t.state)
		}
		if t.sigMask&unblockable != 0 {
			return fmt.Errorf("thread %d blocks SIGKILL or SIGSTOP", i)
		}
		switch {
		case t.state == threadRunning:
			if int16(i) != k.cur || place[int16(i)] != "" {
				return fmt.Errorf("thread %d is running and in %q; %d runs", i, place[int16(i)], k.cur)
			}
		case t.state == threadBlocked && t.wait == waitSleep:
			if t.timer == none || place[int16(i)] != "" {
				return fmt.Errorf("thread %d sleeps without a timer or in %q", i, place[int16(i)])
			}
		case place[int16(i)] == "":
			return fmt.Errorf("thread %d, state %d, waits for %d, is nowhere", i, t.state, t.wait)
		}
		if (t.timedOut || t.state == threadBlocked && t.wait == waitPoll) && !t.again {
			return fmt.Errorf("thread %d has an epoll_wait to go on with but does not know", i)
		}
	}
	if k.vfpOwner != k.cur {
		return fmt.Errorf("the VFP has the registers of thread %d, not %d", k.vfpOwner, k.cur)
	}
	return nil
}

func checkTimers(k *Kernel) error {
	h := &k.timers
	for n := range h.n {
		t := &k.threads[h.heap[n]]
		if t.timer != n {
			return fmt.Errorf("thread %d: timer %d, is at %d", h.heap[n], t.timer, n)
		}
		if n > 0 && k.threads[h.heap[(n-1)/2]].deadline > t.deadline {
			return fmt.Errorf("timer %d is before its parent", n)
		}
		if t.state != threadBlocked || t.wait != waitSleep && t.wait != waitFutex && t.wait != waitPoll {
			return fmt.Errorf("thread %d with a timer: state %d, waits for %d", h.heap[n], t.state, t.wait)
		}
	}
	for i := range k.threads {
		t := &k.threads[i]
		if t.timer != none && (t.timer >= h.n || h.heap[t.timer] != int16(i)) {
			return fmt.Errorf("thread %d: timer %d is another's", i, t.timer)
		}
	}
	at := ^uint64(0)
	if h.n > 0 {
		at = k.threads[h.heap[0]].deadline
	}
	if k.anyReady() {
		at = min(at, k.sliceEnd)
	}
	if k.profile.due != 0 {
		at = min(at, k.stats.IdleTicks+k.profile.due)
	}
	if k.timerAt != at {
		return fmt.Errorf("the timer is set to %d, want %d", k.timerAt, at)
	}
	return nil
}

// checkFiles checks that descriptors and what is behind them belong together.
func checkFiles(k *Kernel) error {
	var events [MaxEventFDs]int
	var polls [MaxPolls]int
	for fd := range k.files {
		f := &k.files[fd]
		switch f.kind {
		case fileEvent:
			events[f.object]++
		case filePoll:
			polls[f.object]++
		case filePipeIn:
			if p := &k.pipes[f.object]; p.frame == 0 || p.in != int16(fd) {
				return fmt.Errorf("descriptor %d is not the end of its pipe", fd)
			}
		case filePipeOut:
			if p := &k.pipes[f.object]; p.frame == 0 || p.out != int16(fd) {
				return fmt.Errorf("descriptor %d is not the end of its pipe", fd)
			}
		case fileDevice:
			if k.devices[f.object].fd != int16(fd) {
				return fmt.Errorf("descriptor %d is not its device's", fd)
			}
		}
	}
	for i := range k.events {
		if want := b2i(k.events[i].used); events[i] != want {
			return fmt.Errorf("eventfd %d has %d descriptors, want %d", i, events[i], want)
		}
	}
	for i := range k.polls {
		if want := b2i(k.polls[i].used); polls[i] != want {
			return fmt.Errorf("epoll instance %d has %d descriptors, want %d", i, polls[i], want)
		}
	}
	for i := range k.pipes {
		p := &k.pipes[i]
		if p.frame == 0 {
			continue
		}
		if p.in == none && p.out == none || p.n > pipeSize || p.head >= pipeSize {
			return fmt.Errorf("pipe %d: %+v", i, *p)
		}
		if p.in != none && k.files[p.in].kind != filePipeIn || p.out != none && k.files[p.out].kind != filePipeOut {
			return fmt.Errorf("pipe %d: its ends are other files", i)
		}
	}
	for i := range k.ndevices {
		if fd := k.devices[i].fd; fd != none && (k.files[fd].kind != fileDevice || k.files[fd].object != int16(i)) {
			return fmt.Errorf("device %d: descriptor %d is another file", i, fd)
		}
	}
	if k.console.n > uint32(len(k.console.in)) || k.console.head >= uint32(len(k.console.in)) {
		return fmt.Errorf("console: %d bytes at %d", k.console.n, k.console.head)
	}
	return nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func checkWatches(k *Kernel) error {
	var listed [MaxWatches]bool
	type pair struct{ poll, fd int16 }
	seen := map[pair]bool{}
	for fd := range k.files {
		f := &k.files[fd]
		if f.kind == fileFree {
			continue
		}
		for w := f.watches; w != none; w = k.watches[w].next {
			wt := &k.watches[w]
			if listed[w] || wt.poll == none || wt.fd != int16(fd) || !k.polls[wt.poll].used || seen[pair{wt.poll, wt.fd}] {
				return fmt.Errorf("watch %d of descriptor %d: %+v", w, fd, *wt)
			}
			listed[w] = true
			seen[pair{wt.poll, wt.fd}] = true
		}
	}
	for w := range k.watches {
		if (k.watches[w].poll != none) != listed[w] {
			return fmt.Errorf("watch %d: in use %v, in a list %v", w, k.watches[w].poll != none, listed[w])
		}
	}
	return nil
}

// checkWaits looks for lost wake-ups: nobody waits for what is there.
func checkWaits(k *Kernel) error {
	for i := range k.threads {
		t := &k.threads[i]
		if t.state != threadBlocked {
			continue
		}
		if t.sigPending&^t.sigMask != 0 {
			for sig := int32(1); sig < numSignals; sig++ {
				if (t.sigPending&^t.sigMask)&sigBit(sig) != 0 && !k.ignored(sig) {
					return fmt.Errorf("thread %d waits although signal %d is there", i, sig)
				}
			}
		}
		switch t.wait {
		case waitRandom:
			if k.random.seeded() {
				return fmt.Errorf("thread %d waits for randomness, which is there", i)
			}
		case waitPoll:
			for w := range k.watches {
				if k.watches[w].poll == t.waitOn && k.reports(int16(w)) != 0 {
					return fmt.Errorf("thread %d waits in epoll_wait although descriptor %d is ready", i, k.watches[w].fd)
				}
			}
		case waitFile:
			// A device is read or written; eventfds wait to be written only by
			// values that do not fit.
			want := uint32(pollIn)
			f := &k.files[t.waitOn]
			if f.kind == fileEvent && t.R[7] == sysWrite {
				continue
			}
			if f.kind == filePipeIn {
				want = pollOut
			}
			if k.ready(f)&(want|pollHup) != 0 {
				return fmt.Errorf("thread %d waits at descriptor %d, which is ready", i, t.waitOn)
			}
		}
	}
	return nil
}
