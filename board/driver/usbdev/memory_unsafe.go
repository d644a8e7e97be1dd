package usbdev

import (
	"fmt"
	"sync/atomic"
	"unsafe"
)

// A head is an endpoint queue head (dQH): IMX6ULRM, "Endpoint Queue Head". There is one
// for each direction of each endpoint, OUT before IN.
type head struct {
	info    uint32
	current uint32
	next    uint32
	token   uint32
	pages   [5]uint32
	_       uint32
	setup   [2]uint32 // the setup packet
	_       [4]uint32
}

const (
	headSize  = 64
	endpoints = 8
	listAlign = 2048 // of the list of heads

	infoZLT = 1 << 29 // no zero-length packets unless they are asked for
	infoMax = 16      // position of the maximum packet length
	infoIOS = 1 << 15 // interrupt on setup
)

// A transfer is an endpoint transfer descriptor (dTD): IMX6ULRM, "Endpoint Transfer
// Descriptor".
type transfer struct {
	next  uint32
	token uint32
	pages [5]uint32
	_     uint32
}

const (
	transferSize = 32
	terminate    = 1 // in next: the chain ends here

	tokenTotal  = 16 // position of the bytes that are left
	tokenIOC    = 1 << 15
	tokenActive = 1 << 7
	tokenHalted = 1 << 6
	tokenBuffer = 1 << 5 // overrun or underrun
	tokenTrans  = 1 << 3 // transaction error
	tokenErrors = tokenHalted | tokenBuffer | tokenTrans
)

func (t *transfer) load() uint32       { return atomic.LoadUint32(&t.token) }
func (t *transfer) link(phys uint32)   { atomic.StoreUint32(&t.next, phys) }
func (h *head) setupWord(i int) uint32 { return atomic.LoadUint32(&h.setup[i]) }

// fill makes it the controller's, at the end of a chain.
func (t *transfer) fill(phys uint32, n int) {
	for i := range t.pages {
		t.pages[i] = phys
		phys = phys&^0xfff + 0x1000
	}
	t.link(terminate)
	atomic.StoreUint32(&t.token, uint32(n)<<tokenTotal|tokenIOC|tokenActive)
}

func (t *transfer) drop() { atomic.StoreUint32(&t.token, 0) }

// memory deals out DMA memory.
type memory struct {
	mem  []byte
	phys uint32
	at   int
}

func (m *memory) take(n, align int) ([]byte, uint32, error) {
	from := (m.at + align - 1) &^ (align - 1)
	if from+n > len(m.mem) {
		return nil, 0, fmt.Errorf("%d bytes of DMA memory are too few", len(m.mem))
	}
	m.at = from + n
	return m.mem[from : from+n : from+n], m.phys + uint32(from), nil
}

func (m *memory) check() error {
	if len(m.mem) == 0 {
		return fmt.Errorf("no DMA memory")
	}
	if m.phys%listAlign != 0 || uintptr(unsafe.Pointer(&m.mem[0]))%listAlign != 0 {
		return fmt.Errorf("DMA memory at %#x, mapped at %p, is not aligned to %d bytes", m.phys, &m.mem[0], listAlign)
	}
	return nil
}

func (m *memory) heads() ([]head, uint32, error) {
	b, phys, err := m.take(2*endpoints*headSize, listAlign)
	if err != nil {
		return nil, 0, err
	}
	return unsafe.Slice((*head)(unsafe.Pointer(&b[0])), 2*endpoints), phys, nil
}

func (m *memory) transfers(n int) ([]transfer, uint32, error) {
	b, phys, err := m.take(n*transferSize, transferSize)
	if err != nil {
		return nil, 0, err
	}
	return unsafe.Slice((*transfer)(unsafe.Pointer(&b[0])), n), phys, nil
}
