package kernel

const pipeSize = pageSize

// A pipe's bytes live in one frame.
type pipe struct {
	frame   uint32 // physical address; 0 = no pipe
	in, out int16  // descriptors of its ends; none = closed
	head, n uint32
}

func (k *Kernel) pipe2(fds, flags uint32) int32 {
	if !k.writable(fds, 8) {
		return EFAULT
	}
	for i := range k.pipes {
		p := &k.pipes[i]
		if p.frame != 0 {
			continue
		}
		out, errno := k.newFile(filePipeOut, int16(i), flags&oNonblock)
		if errno != 0 {
			return errno
		}
		in, errno := k.newFile(filePipeIn, int16(i), flags&oNonblock|1)
		if errno == 0 && !k.frames.commit(1) {
			k.files[in].kind = fileFree
			errno = ENOMEM
		}
		if errno != 0 {
			k.files[out].kind = fileFree
			return errno
		}
		*p = pipe{frame: k.allocFrame(), in: int16(in), out: int16(out)}
		k.putWord(fds, uint32(out))
		k.putWord(fds+4, uint32(in))
		return 0
	}
	return EMFILE
}

func (k *Kernel) closePipe(f *file) {
	p := &k.pipes[f.object]
	if f.kind == filePipeIn {
		p.in = none
		k.notify(p.out, false)
	} else {
		p.out = none
		k.notify(p.in, false)
	}
	if p.in == none && p.out == none {
		k.freeFrame(p.frame)
		k.frames.uncommit(1)
		p.frame = 0
	}
}

func (k *Kernel) readPipe(fd, buf, n uint32) int32 {
	p := &k.pipes[k.files[fd].object]
	if n == 0 {
		return 0
	}
	if p.n == 0 {
		if p.in == none {
			return 0
		}
		return k.waitForFile(fd)
	}
	done := uint32(0)
	for done < n && p.n > 0 {
		c := min(n-done, p.n, pipeSize-p.head)
		if !k.copyOut(buf+done, k.ptr(p.frame+p.head), c) {
			if done == 0 {
				return EFAULT
			}
			break
		}
		p.head = (p.head + c) & (pipeSize - 1)
		p.n -= c
		done += c
	}
	k.notify(p.in, false)
	return int32(done)
}

func (k *Kernel) writePipe(fd, buf, n uint32) int32 {
	p := &k.pipes[k.files[fd].object]
	if p.out == none {
		return EPIPE
	}
	if n == 0 {
		return 0
	}
	if p.n == pipeSize {
		return k.waitForFile(fd)
	}
	done := uint32(0)
	for done < n && p.n < pipeSize {
		tail := (p.head + p.n) & (pipeSize - 1)
		c := min(n-done, pipeSize-p.n, pipeSize-tail)
		if !k.copyIn(k.ptr(p.frame+tail), buf+done, c) {
			if done == 0 {
				return EFAULT
			}
			break
		}
		p.n += c
		done += c
	}
	k.notify(p.out, false)
	return int32(done) // perhaps less than n, which a pipe may do
}
