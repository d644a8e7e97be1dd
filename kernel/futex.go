package kernel

const (
	futexWait        = 0
	futexWake        = 1
	futexPrivateFlag = 128
)

func futexBucket(addr uint32) uint32 { return (addr>>2 ^ addr>>8) & (futexHash - 1) }

// futex implements FUTEX_WAIT and FUTEX_WAKE. There is one address space, so
// private and shared futexes are the same.
func (k *Kernel) futex(addr, op, val, timeout uint32, wide bool) int32 {
	if addr&3 != 0 {
		return EINVAL
	}
	switch op &^ futexPrivateFlag {
	case futexWait:
		word, ok := k.getWord(addr)
		if !ok {
			return EFAULT
		}
		deadline := uint64(0)
		if timeout != 0 {
			ns, errno := k.timespec(timeout, wide)
			if errno != 0 {
				return errno
			}
			deadline = k.deadlineIn(ns)
		}
		if word != val {
			return EAGAIN
		}
		t := &k.threads[k.cur]
		t.futex = addr
		if timeout != 0 {
			k.startTimer(k.cur, deadline)
		}
		k.pushBack(&k.futexes[futexBucket(addr)], k.cur)
		k.block(waitFutex)
		return 0
	case futexWake:
		if _, ok := k.translate(addr, false); !ok {
			return EFAULT
		}
		n := int32(0)
		for i := k.futexes[futexBucket(addr)].head; i != none && n < int32(val); {
			next := k.threads[i].next
			if k.threads[i].futex == addr {
				k.wake(i, 0, false)
				n++
			}
			i = next
		}
		return n
	}
	return ENOSYS
}
