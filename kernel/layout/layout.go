package layout

// Virtual addresses. The image is linked to RAM's own physical addresses; all else is
// put where a 32-bit address space with 3 GB for the program has room.
const (
	UserStart = 0x00001000 // the page below is never mapped, so that nil faults
	MmapStart = 0x10000000 // where mmap begins to look for free addresses
	MmapEnd   = 0x80000000
	RAMStart  = 0x80000000 // also physically
	StackEnd  = 0xBFF00000 // of the program's first thread
	StackSize = 1 << 20
	ClockPage = 0xBFFFE000
	VDSOPage  = 0xBFFFF000
	UserEnd   = 0xC0000000

	DirectMap   = UserEnd - RAMStart // RAM's physical addresses, plus this, are all of RAM for the kernel
	DirectEnd   = 0xE0000000
	DeviceMap   = 0xF0000000 // devices' physical addresses, plus this
	DeviceEnd   = 0xFF000000
	KernelTable = 0xFFF00000 // the megabyte that the rest is in
	KernelAddr  = 0xFFF00000
	GPage       = 0xFFFC0000
	StackLow    = 0xFFFD1000
	StackHigh   = 0xFFFD5000
	FaultStack  = 0xFFFE0000
	VectorPage  = 0xFFFF0000

	PageSize = 0x1000
)

// What of RAM's start is whose, as offsets from it.
const (
	OffVectors    = 0x0000
	OffTable      = 0x1000 // level-2 table of KernelTable
	OffFaultStack = 0x2000
	OffL1         = 0x4000
	OffStack      = 0x8000
	OffG          = 0xC000
	OffImage      = 0xF000 // ELF header
)

// Area is one row of the map.
type Area struct {
	From, To uint64 // virtual addresses, To behind the last; 0 where it depends on the image
	What     string
	Program  string // rights of the program: "rwx", with "-" for those it lacks; "" for none
	Kernel   string
}

// Areas is the map, in order of addresses. The image's segments follow each other
// between its header and the heap.
var Areas = []Area{
	{0, UserStart, "nothing, for nil", "", ""},
	{MmapStart, MmapEnd, "what `mmap` gives: Go's heap metadata, stacks, device registers and DMA", "rw-", "rw-"},
	{RAMStart, RAMStart + OffImage, "(physical only: vectors, level-1 table, kernel stack)", "", ""},
	{RAMStart + OffImage, 0, "ELF header and text", "r-x", "r-x"},
	{0, 0, "constants", "r--", "r--"},
	{0, 0, "data; bss, filled with zeros when touched", "rw-", "rw-"},
	{0, StackEnd - StackSize, "Go's heap arenas, right behind the image", "rw-", "rw-"},
	{StackEnd - StackSize, StackEnd, "stack of the first thread", "rw-", "rw-"},
	{ClockPage, ClockPage + PageSize, "clock page", "r--", "rw-"},
	{VDSOPage, UserEnd, "vDSO: `clock_gettime` without entering the kernel", "r-x", "r-x"},
	{UserEnd, DirectEnd, "all of RAM; DMA memory at its end, uncached", "", "rw-"},
	{DeviceMap, DeviceEnd, "device registers, at 0xF0000000 + their address", "", "rw-"},
	{KernelAddr, 0, "`Kernel`, all the state there is", "", "rw-"},
	{GPage, GPage + PageSize, "the g of kernel code", "", "rw-"},
	{StackLow, StackHigh, "kernel stack, a hole on each side", "", "rw-"},
	{FaultStack, FaultStack + PageSize, "stack for reporting a bug of the kernel", "", "rw-"},
	{VectorPage, VectorPage + PageSize, "exception vectors", "", "r-x"},
}
