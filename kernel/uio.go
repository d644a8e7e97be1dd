package kernel

// A device for user mode, as Linux's UIO shows them: see doc.go.
type device struct {
	name   [16]byte
	regs   uint32
	size   uint32
	irq    uint32
	dma    uint32 // physical address of its DMA memory
	dmaLen uint32
	count  uint32 // interrupts since boot
	fd     int16  // its descriptor; a device is open once at a time
}

func (k *Kernel) addDevice(d *Device, dma uint32) {
	if k.ndevices == MaxDevices {
		return
	}
	v := &k.devices[k.ndevices]
	*v = device{regs: d.Regs, size: d.Size, irq: d.IRQ, dma: dma, dmaLen: d.DMA, fd: none}
	for i := 0; i < len(d.Name) && i < len(v.name)-1; i++ {
		v.name[i] = d.Name[i]
	}
	k.ndevices++
}

// openDevice makes a fresh descriptor the one that hears of the interrupt.
func (k *Kernel) openDevice(fd int32) {
	f := &k.files[fd]
	d := &k.devices[f.object]
	f.offset = d.count
	d.fd = int16(fd)
}

func (k *Kernel) closeDevice(i int16) {
	d := &k.devices[i]
	if d.irq != 0 {
		k.maskIRQ(d.irq)
	}
	d.fd = none
}

// deviceInterrupt counts an interrupt and leaves it masked until the driver
// writes 1, so that a level-triggered line can't storm.
func (k *Kernel) deviceInterrupt(irq uint32) {
	k.maskIRQ(irq)
	for i := int32(0); i < k.ndevices; i++ {
		if d := &k.devices[i]; d.irq == irq {
			d.count++
			k.notify(d.fd, true)
			return
		}
	}
}

func (k *Kernel) readDevice(fd, buf, n uint32) int32 {
	f := &k.files[fd]
	d := &k.devices[f.object]
	if d.irq == 0 || n < 4 {
		return EINVAL
	}
	if d.count == f.offset {
		return k.waitForFile(fd)
	}
	if !k.putWord(buf, d.count) {
		return EFAULT
	}
	f.offset = d.count
	return 4
}

func (k *Kernel) writeDevice(i int16, buf, n uint32) int32 {
	d := &k.devices[i]
	if d.irq == 0 || n != 4 {
		return EINVAL
	}
	on, ok := k.getWord(buf)
	if !ok {
		return EFAULT
	}
	if on != 0 {
		k.unmaskIRQ(d.irq)
	} else {
		k.maskIRQ(d.irq)
	}
	return 4
}

// mapDevice maps region 0 (registers) or 1 (DMA memory) of a device.
func (k *Kernel) mapDevice(addr, size, prot, flags, fd, region uint32) uint32 {
	f := k.file(fd)
	if f == nil {
		return result(EBADF)
	}
	if f.kind != fileDevice || flags&mapShared == 0 || region > 1 {
		return result(EINVAL)
	}
	d := &k.devices[f.object]
	pa, max, attr := d.regs, d.size, uint32(pteDevice|pteUser)
	if region == 1 {
		pa, max, attr = d.dma, d.dmaLen, pteUncached|pteUser
	}
	if prot&protWrite == 0 {
		attr |= pteRO
	}
	if prot == 0 || size > max {
		return result(EINVAL)
	}
	lo, errno := k.placeMapping(addr, size, flags)
	if errno != 0 {
		return result(errno)
	}
	k.frames.uncommit(k.countCommitted(lo, lo+size))
	if !k.replace(lo, lo+size, 0) {
		return result(ENOMEM)
	}
	for i := uint32(0); i < size; i += pageSize {
		if !k.setEntry(lo+i, pa+i|attr) {
			return result(ENOMEM)
		}
	}
	k.syncTables()
	return lo
}
